"""Which receipt of a text stands, however many come together and whenever they come."""

import json

import pytest

from adapters.listener.aliyun import read_report
from adapters.listener.yunmas import read_receipt
from tasks.receipts import keep_receipt
from tasks.steps import admit_cases, match_receipts, send_pushes, tell_liaisons, text_rules
from tasks.texting import plan_texts
from tests.tasks.records import case, serial


@pytest.fixture
def silent(world, mailbox):
    """The world, whose gateway's own receipts never arrive."""
    mailbox.services = None
    return world


async def came(world, **said):
    """A receipt of 云MAS's shape is kept as the listener keeps it."""
    report = {"submitDate": "20260310100000", "receiveDate": "20260310100005", "errorCode": "0"} | said
    raw = json.dumps(report).encode()
    receipt = read_receipt(raw)
    assert receipt is not None
    await keep_receipt(world.services.ledger, world.services.sealing, raw, receipt)


async def came_by_reference(world, **said):
    """The same of Alibaba Cloud's shape, which gives our reference back."""
    report = {
        "biz_id": "1^0",
        "send_time": "2026-03-10 10:00:00",
        "report_time": "2026-03-10 10:00:05",
    } | said
    raw = json.dumps(report).encode()
    receipt = read_report(raw)
    assert receipt is not None
    await keep_receipt(world.services.ledger, world.services.sealing, raw, receipt)


async def told(world):
    return await world.rows(
        "SELECT e.state, t.report_status FROM effects e JOIN sms_texts t USING (own_id) ORDER BY t.own_id"
    )


@pytest.mark.parametrize("statuses", [("UNDELIV", "DELIVRD"), ("DELIVRD", "REJECTD"), ("UNDELIV", "EXPIRED")])
async def test_the_receipt_that_came_first_stands_also_among_those_matched_together(silent, statuses):
    await silent.arrive(case(serial()))
    await silent.run(admit_cases, send_pushes, tell_liaisons)
    (text,) = silent.stored("sms")
    for status in statuses:
        await came(silent, reportStatus=status, mobile=text["target"], msgGroup=text["receipt"])
    await silent.run(match_receipts)
    state = "delivered" if statuses[0] == "DELIVRD" else "undelivered"
    assert await told(silent) == [{"state": state, "report_status": statuses[0]}]
    assert await silent.column("SELECT outcome FROM inbox WHERE kind = 'sms_receipt'") == ["admitted"] * 2


async def test_what_is_told_of_a_text_that_has_not_left_does_not_hide_what_comes_of_it(silent, people):
    await silent.arrive(case(serial()))
    await silent.run(admit_cases, send_pushes)
    services = silent.services
    await plan_texts(
        services.ledger, services.sealing, services.city, services.calendar, text_rules(services)
    )
    mobile = next(one["phone"] for one in people if one["section"] == "dispatch")
    reference = await silent.value("SELECT reference FROM sms_texts")
    await came_by_reference(silent, success=False, phone_number=mobile, out_id=reference)
    await silent.run(match_receipts)
    assert await told(silent) == [{"state": "planned", "report_status": None}]
    await silent.run(tell_liaisons)
    (text,) = silent.stored("sms")
    await came(silent, reportStatus="DELIVRD", mobile=text["target"], msgGroup=text["receipt"])
    await silent.run(match_receipts)
    assert await told(silent) == [{"state": "delivered", "report_status": "DELIVRD"}]
