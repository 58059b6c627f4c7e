"""What is said of a stopped effect agrees with what may be done to it."""

from pathlib import Path

import pytest

from models.domain.lifecycles.effect import Channel
from models.domain.stopped import may_repeat, what_to_do

OTHERS = [channel for channel in Channel if channel is not Channel.SMS]


def said(channel, state, reason):
    return what_to_do(channel, state, reason, case_no="YY2026-1", own_id="own-1")


@pytest.mark.parametrize("state", ["held", "refused", "unknown"])
@pytest.mark.parametrize("reason", [None, "no_receipt", "content_conflict"])
def test_a_text_is_never_asked_for_again(state, reason) -> None:
    assert may_repeat(Channel.SMS, state, reason).startswith("不可重发")
    assert "rerun" not in said(Channel.SMS, state, reason)
    assert "shenguan decide own-1" in said(Channel.SMS, state, reason)


def test_a_held_text_names_the_form_in_which_two_people_release_it() -> None:
    told = said(Channel.SMS, "held", "no_receipt")
    assert "由两人先后运行部署 release-held（动作编号 own-1" in told
    deployments = (Path(__file__).parents[3] / "prefect.yaml").read_text(encoding="utf-8")
    assert "- name: release-held\n" in deployments
    for state, reason in (("refused", "rule"), ("held", "restored")):  # these are not to be released
        assert "release" not in said(Channel.SMS, state, reason)


@pytest.mark.parametrize("channel", OTHERS)
def test_what_the_other_side_holds_otherwise_or_nobody_can_open_is_not_asked_again(channel) -> None:
    for reason, word in (("content_conflict", "不要再试"), ("seal_broken", "再试无用")):
        assert may_repeat(channel, "held", reason).startswith(word)
        assert "rerun" not in said(channel, "held", reason)


@pytest.mark.parametrize("channel", OTHERS)
def test_what_was_refused_is_corrected_or_sent_again_under_its_number(channel) -> None:
    assert may_repeat(channel, "refused", "rule").startswith("可以安全再试：对方没有存下")
    told = said(channel, "refused", "rule")
    assert "源头更正" in told
    assert "shenguan rerun YY2026-1" in told
    assert "shenguan decide own-1" in told


@pytest.mark.parametrize("channel", OTHERS)
def test_what_was_held_goes_again_safely(channel) -> None:
    assert may_repeat(channel, "held", "no_answer").startswith("可以安全再试：对方识别")
    assert "shenguan rerun YY2026-1" in said(channel, "held", "no_answer")
