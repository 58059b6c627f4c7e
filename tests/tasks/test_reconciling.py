"""Reconciliation: equal days cost two questions, and each kind of difference has its own end."""

import asyncio
from datetime import timedelta

import pytest

from adapters.journal.lines import Entry
from flows.cli_status import lines
from models.domain.canonical import canonical, content_hash
from models.domain.keys import own_id
from tasks.reconciliation.reconciling import reconcile_day, reconcile_texts, total
from tasks.reconciliation.sides import PlatformSide
from tasks.standing import read_status
from tasks.steps import (
    admit_cases,
    claim,
    match_receipts,
    recover,
    send_pushes,
    send_reports,
    tell_liaisons,
)
from tests.tasks.accounts import TODAY, Counted, apart, body_of, credit, platform, sent
from tests.tasks.records import NOW, case, granted, serial


async def test_days_that_agree_are_not_paged(clean):
    await sent(clean, 4)
    number = serial()
    await clean.arrive(case(number), granted(number))
    await clean.run(admit_cases, send_pushes, send_reports)
    rows, side = await platform(clean)
    assert (side.pages, side.looks) == (0, 0)
    assert apart(rows) == {"ours": 10, "theirs": 10, "agreed": 10}
    assert {(row.kind, row.stage) for row in rows} == {("push", "acceptance"), ("push", "completion")}
    assert len({row.department for row in rows}) > 2
    rows, side = await credit(clean)
    assert (side.pages, apart(rows)) == (0, {"ours": 1, "theirs": 1, "agreed": 1})
    assert await clean.value("SELECT sum(agreed) FROM reconciled_days") == 11


async def test_what_only_the_answer_was_lost_of_is_adopted_and_brings_what_an_acceptance_brings(clean):
    await clean.arrive(case(serial()))
    await clean.run(admit_cases)
    await clean.faults(
        "platform", {"match": {"method": "POST"}, "do": {"kind": "store_then_close"}, "times": 1}
    )
    await clean.run(send_pushes)
    assert await clean.column("SELECT state FROM effects") == ["unknown"]
    rows, side = await platform(clean)
    assert apart(rows) == {"ours": 1, "theirs": 1, "agreed": 1, "adopted": 1}
    (stored,) = clean.stored("platform")
    (row,) = await clean.rows("SELECT state, reason, receipt_number FROM effects")
    assert row == {"state": "accepted", "reason": "adopted", "receipt_number": stored["receipt"]["number"]}
    assert await clean.column("SELECT state FROM handovers") == ["claimed"]
    assert await clean.value("SELECT count(*) FROM sms_news") == 1
    assert await clean.column("SELECT reason FROM history WHERE event = 'adopted'") == ["adopted"]
    rows, side = await platform(clean)
    assert (side.pages, apart(rows)) == (0, {"ours": 1, "theirs": 1, "agreed": 1})


@pytest.mark.parametrize("kind", ["platform", "credit"])
async def test_a_receiver_that_lost_a_record_after_its_receipt_is_found_and_gets_it_again(clean, kind):
    number = serial()
    await clean.arrive(case(number), granted(number))
    await clean.run(admit_cases, send_pushes, send_reports, claim)
    channel = {"platform": "push", "credit": "credit_report"}[kind]
    (lost, *_) = await clean.column("SELECT own_id FROM effects WHERE channel = %s ORDER BY stage", channel)
    told = await asyncio.to_thread(clean.outside.control, kind, "lose", {"own_ids": [lost]})
    assert told == {"lost": 1}
    rows, side = await (platform if kind == "platform" else credit)(clean)
    assert (total(rows)["sent_again"], total(rows)["agreed"]) == (1, total(rows)["ours"] - 1)
    assert side.looks == 1
    (row,) = await clean.rows("SELECT state, reason FROM effects WHERE own_id = %s", lost)
    assert row == {"state": "planned", "reason": "lost_there"}
    await clean.run(send_pushes, send_reports)
    assert [line["own_id"] for line in clean.stored(kind)].count(lost) == 1
    assert await clean.value("SELECT state FROM effects WHERE own_id = %s", lost) == "accepted"
    assert await clean.value("SELECT count(*) FROM sms_news WHERE push_own_id = %s", lost) <= 1
    rows, side = await (platform if kind == "platform" else credit)(clean)
    assert (side.pages, total(rows)["agreed"]) == (0, total(rows)["ours"])


async def test_a_lost_older_content_does_not_go_after_a_newer(clean):
    number = serial()
    await clean.arrive(case(number))
    await clean.run(admit_cases, send_pushes)
    first = await clean.value("SELECT own_id FROM effects")
    await clean.arrive(
        case(number, version=2, content="另有说明", party={**case(number)["party"], "contact": "王拟改"})
    )
    await clean.run(admit_cases)
    assert await clean.value("SELECT count(*) FROM effects WHERE state = 'planned'") == 1
    await asyncio.to_thread(clean.outside.control, "platform", "lose", {"own_ids": [first]})
    rows, _ = await platform(clean)
    assert total(rows)["sent_again"] == 0
    assert await clean.value("SELECT state FROM effects WHERE own_id = %s", first) == "superseded"
    await clean.run(send_pushes)
    assert [line["content_version"] for line in clean.stored("platform")] == [2]


async def test_a_receipt_near_midnight_is_no_difference_on_either_side(clean):
    await sent(clean, 1)
    # Our note of their time is a breath later than the day they counted it on.
    await clean.change("UPDATE effects SET receipt_at = receipt_at + interval '14 hours 1 minute'")
    today, _ = await platform(clean)
    assert apart(today) == {"ours": 2, "theirs": 2, "agreed": 2}
    tomorrow, _ = await platform(clean, TODAY + timedelta(days=1))
    assert apart(tomorrow) == {"ours": 2, "agreed": 2}
    assert await clean.value("SELECT count(*) FROM incidents") == 0
    assert await clean.column("SELECT DISTINCT state FROM effects") == ["accepted"]


@pytest.mark.parametrize("said", ["2099-01-01", "1999-01-01"])
async def test_a_receipt_of_another_age_hides_no_loss(clean, said):
    lost, *_ = await sent(clean, 1)
    await clean.change("UPDATE effects SET receipt_at = %s WHERE own_id = %s", said, lost)
    await asyncio.to_thread(clean.outside.control, "platform", "lose", {"own_ids": [lost]})
    rows, _ = await platform(clean)
    assert apart(rows) == {"ours": 2, "theirs": 1, "agreed": 1, "sent_again": 1}
    assert await clean.value("SELECT reason FROM effects WHERE own_id = %s", lost) == "lost_there"


async def test_what_is_adopted_weeks_later_is_counted_on_the_day_they_count_it(clean):
    await clean.arrive(case(serial()))
    await clean.run(admit_cases)
    await clean.faults(
        "platform", {"match": {"method": "POST"}, "do": {"kind": "store_then_close"}, "times": 1}
    )
    await clean.run(send_pushes)
    await clean.at(NOW + timedelta(days=20))
    rows, _ = await platform(clean)
    assert total(rows)["adopted"] == 1
    rows, side = await platform(clean)
    assert (side.pages, apart(rows)) == (0, {"ours": 1, "theirs": 1, "agreed": 1})


async def test_what_nobody_can_explain_is_one_incident_a_kind_and_department(clean):
    own, *_ = await sent(clean, 1)
    body = await body_of(clean, own)
    stranger = own_id("push", body["business_key"], 9)
    made = body | {"own_id": stranger, "content_version": 9}
    await clean.services.platform.push(stranger, canonical(made))
    rows, _ = await platform(clean)
    assert total(rows)["unexplained"] == 1
    (incident,) = await clean.rows("SELECT * FROM incidents")
    department = body["target"]["department"]
    assert (incident["kind"], incident["key"], incident["count"]) == (
        "reconcile_difference",
        f"platform|push|{department}",
        1,
    )
    assert incident["owner"]
    assert incident["due_at"] > NOW
    await platform(clean)
    assert await clean.column("SELECT count FROM incidents") == [1], "asked again, it counts no more"
    await asyncio.to_thread(clean.outside.control, "platform", "lose", {"own_ids": [stranger]})
    await platform(clean)
    assert await clean.value("SELECT count(*) FROM incidents WHERE closed_at IS NULL") == 0


async def test_what_the_journal_remembers_is_no_stranger(clean):
    """A case that was pushed and withdrawn after the backup: the restored ledger never learns of its push."""
    own, *_ = await sent(clean, 1)
    body = await body_of(clean, own)
    forgotten = own_id("push", body["business_key"], 9)
    journal = clean.services.guard._journal
    journal.append(journal.last, [Entry(forgotten, 1)])
    await clean.services.platform.push(
        forgotten, canonical(body | {"own_id": forgotten, "content_version": 9})
    )
    rows, _ = await platform(clean)
    assert apart(rows) == {"ours": 2, "theirs": 3, "agreed": 2}
    assert await clean.value("SELECT count(*) FROM incidents") == 0


async def test_other_content_under_our_id_is_never_adopted_nor_sent_again(clean):
    own, *_ = await sent(clean, 1)
    body = await body_of(clean, own)
    await asyncio.to_thread(clean.outside.control, "platform", "lose", {"own_ids": [own]})
    content = body["content"] | {"item_name": "另一事项"}
    await clean.services.platform.push(
        own, canonical(body | {"content": content, "content_sha256": content_hash(content)})
    )
    before = await clean.rows("SELECT own_id, state, receipt_number FROM effects ORDER BY own_id")
    rows, _ = await platform(clean)
    found = total(rows)
    assert (found["unexplained"], found["adopted"], found["sent_again"]) == (1, 0, 0)
    assert await clean.rows("SELECT own_id, state, receipt_number FROM effects ORDER BY own_id") == before


async def test_an_end_in_the_midst_leaves_a_day_that_can_be_done_again(clean, monkeypatch):
    owns = await sent(clean, 3)
    await asyncio.to_thread(clean.outside.control, "platform", "lose", {"own_ids": owns})
    done = 0

    class Ends(Counted):
        async def find(self, channel, own):
            nonlocal done
            done += 1
            if done > 2:
                raise RuntimeError("the process ends here")
            return await super().find(channel, own)

    with pytest.raises(RuntimeError):
        await reconcile_day(clean.services, Ends(PlatformSide(clean.services.platform)), TODAY)
    await platform(clean)
    await clean.run(recover, send_pushes)
    assert sorted(line["own_id"] for line in clean.stored("platform")) == owns
    rows, side = await platform(clean)
    assert (side.pages, apart(rows)) == (0, {"ours": 6, "theirs": 6, "agreed": 6})


async def test_status_tells_the_rate_of_the_newest_day(clean):
    owns = await sent(clean, 1)
    await platform(clean)
    await asyncio.to_thread(clean.outside.control, "platform", "lose", {"own_ids": owns[:1]})
    await platform(clean)
    told = await read_status(clean.services.ledger, clean.services.calendar)
    (one,) = told.completeness
    assert (one.system, one.day, one.ours, one.agreed, one.rate) == ("platform", TODAY, 2, 1, 0.5)
    assert told.senders_locked is False
    assert any("完整率 50.00%" in line for line in lines(told))


async def test_texts_are_counted_by_their_receipts(clean):
    await sent(clean, 1)
    await clean.run(tell_liaisons)
    (row,) = await reconcile_texts(clean.services.ledger, TODAY)
    assert (row.system, row.ours) == ("sms", 2)
    await clean.wait_for("SELECT FROM inbox WHERE kind = 'sms_receipt'")
    for _ in range(40):
        await clean.run(match_receipts)
        (row,) = await reconcile_texts(clean.services.ledger, TODAY)
        if row.agreed == row.ours:
            break
        await asyncio.sleep(0.1)
    assert (row.ours, row.theirs, row.agreed) == (2, 2, 2)
