"""What people read is Chinese, complete, and never about a party."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.domain.diagram import lifecycles
from models.domain.messages import (
    DIGEST_TEXT,
    ONE_TEXT,
    STAGES,
    News,
    event_name,
    segments,
    state_name,
    text_for,
    wrong_places,
)
from models.domain.reasons import REASONS, reason_name

NEWS = st.builds(
    News, item=st.text("许可证经营", min_size=1, max_size=60), stage=st.sampled_from(sorted(STAGES))
)


def is_chinese(text: str) -> bool:
    return any("一" <= sign <= "鿿" for sign in text)


def test_every_state_and_event_has_a_chinese_name() -> None:
    for lifecycle in lifecycles():
        assert all(is_chinese(state_name(lifecycle.entity, state)) for state in lifecycle.names)
        assert all(is_chinese(event_name(lifecycle.entity, event)) for _, event, _ in lifecycle.moves)


def test_an_unknown_code_is_shown_as_it_is() -> None:
    assert state_name("case", "lost") == "lost"
    assert event_name("nothing", "lost") == "lost"
    assert reason_name("lost") == "未登记的原因码 lost"
    assert reason_name(None) == ""
    assert reason_name("quiet_hours") == REASONS["quiet_hours"]


def test_one_piece_of_news_names_item_stage_and_reference() -> None:
    text = text_for([News("食品经营许可", "acceptance")], section="食品经营科", reference="K7Q2M")
    assert text == "食品经营科：食品经营许可已受理，推送至贵单位，请登录审管联动模块查看。编号K7Q2M"
    assert segments(text) == 1


def test_several_pieces_fold_into_one_text() -> None:
    news = [News("甲", "acceptance"), News("乙", "completion"), News("丙", "acceptance")]
    text = text_for(news, section="食品经营科", reference="K7Q2M")
    assert "3件（受理2件、办结1件）" in text
    assert "甲" not in text


def test_a_text_without_news_is_not_written() -> None:
    with pytest.raises(ValueError, match="without news"):
        text_for([], section="科", reference="K")


@given(st.lists(NEWS, min_size=1, max_size=30), st.text("食品科", min_size=1, max_size=10))
def test_texts_stay_in_one_segment(news: list[News], section: str) -> None:
    text = text_for(news, section=section, reference="K7Q2M", signature="【益阳数据】")
    assert segments(text, "【益阳数据】") == 1
    assert "K7Q2M" in text


def test_a_short_item_name_is_not_cut_for_nothing() -> None:
    text = text_for([News("甲许可", "acceptance")], section="科" * 80, reference="K")
    assert "甲许可已受理" in text


def test_templates_take_only_what_is_no_personal_data() -> None:
    assert wrong_places(ONE_TEXT) == ()
    assert wrong_places(DIGEST_TEXT) == ()
    assert wrong_places("{party_name}{phone}{item}") == ("{party_name}", "{phone}")
    assert wrong_places("{item!r}{count:>9}{}") == ("{item}", "{count}", "{}")
    assert wrong_places("{item.__class__}") == ("{item.__class__}",)
    assert wrong_places("{item") != ()


@pytest.mark.parametrize(("length", "count"), [(0, 1), (70, 1), (71, 2), (134, 2), (135, 3)])
def test_segments_as_gateways_count_them(length: int, count: int) -> None:
    assert segments("字" * length) == count
    assert segments("字" * max(0, length - 4), "【签名】" if length >= 4 else "") == count


def test_a_sign_beyond_the_basic_plane_counts_twice() -> None:
    assert segments("𠮷" * 35) == 1
    assert segments("𠮷" * 36) == 2
