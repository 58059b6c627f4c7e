"""Supervision results come back: what they belong to, who hears of them, and what they do."""

import json
from datetime import date, timedelta

import pytest_asyncio

from models.ledger.queries import quarantine
from tasks.steps import (
    admit_cases,
    admit_credit_records,
    admit_feedback,
    check_parties,
    claim,
    close_observed,
    send_pushes,
    send_reports,
    send_returns,
    settle,
    tell_liaisons,
)
from tests.tasks.records import (
    APPROVAL,
    HOMESTEAD,
    LABOUR,
    LABOUR_DUTY,
    NOW,
    case,
    credit_record,
    feedback,
    granted,
    party,
    serial,
)


@pytest_asyncio.fixture(loop_scope="session")
async def labour(world):
    """The labour department's code."""
    city = world.services.city
    return city.route(city.item(LABOUR).duties[0], "430903").code


@pytest_asyncio.fixture(loop_scope="session")
async def number(world):
    """The number of a granted case whose pushes have arrived."""
    drawn = serial()
    await world.arrive(case(drawn), granted(drawn))
    await world.run(admit_cases, check_parties, send_pushes, claim, tell_liaisons)
    return drawn


async def matched(world):
    return [
        (row["matched_by"], row["abnormal"])
        for row in await world.rows("SELECT matched_by, abnormal FROM feedback ORDER BY feedback_no")
    ]


def returns(world):
    return [effect for effect in world.stored("platform") if effect["kind"] == "return"]


async def quarantined(world):
    return await world.column("SELECT rule FROM quarantine WHERE released_at IS NULL ORDER BY rule")


async def test_a_result_belongs_to_its_case_and_goes_back_to_who_approved(world, number, labour):
    await world.report(feedback(number, labour))
    await world.run(admit_feedback, send_returns)
    assert await matched(world) == [("case", True)]
    (sent,) = returns(world)
    assert sent["target"] == APPROVAL
    assert sent["content"]["result"] == "不符合"
    assert await world.value("SELECT count(*) FROM feedback_handovers") == 1


async def test_a_result_without_a_case_belongs_to_its_licence(world, number, labour):
    licence = granted(number)["licence_number"]
    await world.report(feedback(serial(), labour, case_no=None, licence_number=licence))
    await world.run(admit_feedback, send_returns)
    assert await matched(world) == [("licence", True)]
    assert await world.value("SELECT case_id IS NOT NULL AND licence_id IS NOT NULL FROM feedback")
    assert len(returns(world)) == 1


async def test_a_result_without_a_licence_belongs_to_party_and_item(world, number, labour):
    who = {name: party(number)[name] for name in ("name", "id_number")}
    await world.report(feedback(serial(), labour, case_no=None, party=who, item_code=LABOUR))
    await world.run(admit_feedback, send_returns)
    assert await matched(world) == [("party", True)]
    assert len(returns(world)) == 1


async def test_an_orphan_stands_in_front_of_a_person(world, number, labour):
    await world.report(
        feedback(serial(), labour), feedback(serial(), labour, case_no=None, licence_number="没有")
    )
    await world.run(admit_feedback, send_returns)
    assert await quarantined(world) == ["orphan", "orphan"]
    assert await matched(world) == []
    assert returns(world) == []


async def test_an_orphan_that_is_released_when_its_case_has_come_finds_it(world, labour):
    late = serial()
    await world.report(feedback(late, labour))
    await world.run(admit_feedback)
    await world.arrive(granted(late, version=1))
    await world.run(admit_cases)
    async with world.services.ledger.writing() as conn:
        ids = [row["id"] for row in await quarantine.open_list(conn)]
        await quarantine.release(conn, ids, "测试员")
    await world.run(admit_feedback)
    assert await matched(world) == [("case", True)]


async def test_a_department_without_the_duty_is_not_believed(world, number):
    stranger = next(d.code for d in world.services.city.departments.values() if d.unit == "fire")
    await world.report(feedback(number, stranger))
    await world.run(admit_feedback, send_returns)
    assert await quarantined(world) == ["wrong-department"]
    assert returns(world) == []


async def test_read_is_noted_apart_from_claimed_and_goes_to_nobody(world, number, labour):
    receipt = await world.value("SELECT receipt_number FROM effects WHERE stage = 'completion'")
    before = await world.rows("SELECT state, claimed_at, read_at FROM handovers")
    assert before[0]["read_at"] is None
    await world.report(feedback(number, labour, kind="read", push_receipt=receipt, summary=""))
    await world.run(admit_feedback, send_returns)
    after = await world.rows("SELECT state, claimed_at, read_at FROM handovers")
    assert after[0]["read_at"] is not None
    assert (after[0]["state"], after[0]["claimed_at"]) == (before[0]["state"], before[0]["claimed_at"])
    assert returns(world) == []


async def test_a_newer_version_goes_back_and_an_older_one_does_not(world, number, labour):
    await world.report(feedback(number, labour, version=2))
    await world.run(admit_feedback, send_returns)
    await world.report(feedback(number, labour, version=1, summary="旧的"))
    await world.run(admit_feedback, send_returns)
    assert [effect["content"]["summary"] for effect in returns(world)] == ["检查情况"]
    await world.report(feedback(number, labour, version=3, summary="更正"))
    await world.run(admit_feedback, send_returns)
    assert [effect["content_version"] for effect in returns(world)] == [1, 2]
    outcomes = await world.column("SELECT outcome FROM inbox WHERE kind = 'feedback' ORDER BY position")
    assert outcomes == ["admitted", "stale", "admitted"]


async def test_a_repeated_result_is_returned_once(world, number, labour):
    await world.report(feedback(number, labour))
    await world.report(feedback(number, labour))
    await world.run(admit_feedback, send_returns)
    await world.run(admit_feedback, send_returns)
    assert len(returns(world)) == 1


async def test_what_is_normal_stays_unless_the_item_wants_it(world, number, labour):
    fine = {"result": "符合", "handling": "通过"}
    await world.report(feedback(number, labour, **fine))
    homestead = serial()
    await world.arrive(granted(homestead, version=1, item=HOMESTEAD, place="430903107"))
    await world.run(admit_cases, send_pushes)
    city = world.services.city
    farmers = city.route(city.item(HOMESTEAD).duties[0], "430903107").code
    await world.report(feedback(homestead, farmers, **fine))
    await world.run(admit_feedback, send_returns)
    assert await matched(world) == [("case", False), ("case", False)]
    assert [effect["target"] for effect in returns(world)] == [city.item(HOMESTEAD).approval_department]


async def test_a_change_of_policy_goes_to_everyone_it_concerns(world, labour):
    await world.report(
        feedback(serial(), labour, kind="policy", case_no=None, supervision_item=LABOUR_DUTY),
        feedback(serial(), labour, kind="policy", case_no=None, item_code=LABOUR),
    )
    await world.run(admit_feedback, send_returns)
    assert {effect["target"] for effect in returns(world)} == {APPROVAL}
    assert len(returns(world)) == 2


async def test_a_policy_that_concerns_nobody_stands_in_front_of_a_person(world, labour):
    await world.report(
        feedback(serial(), labour, kind="policy", case_no=None, supervision_item="99999999999999")
    )
    await world.run(admit_feedback)
    assert await quarantined(world) == ["no-approver"]


async def test_suspended_and_revoked_reach_the_licence(world, number, labour):
    await world.report(feedback(number, labour, kind="measure", measures=["暂扣"]))
    await world.run(admit_feedback)
    assert await world.column("SELECT state FROM licences") == ["suspended"]
    await world.report(feedback(number, labour, kind="measure", version=2, measures=["吊销"]))
    await world.run(admit_feedback)
    assert await world.column("SELECT state FROM licences") == ["revoked"]
    await world.report(feedback(number, labour, kind="measure", version=3, measures=["暂扣"]))
    await world.run(admit_feedback)
    assert await world.column("SELECT state FROM licences") == ["revoked"], "nothing is left to suspend"


async def settled(world, after_days=21):
    await world.at(NOW + timedelta(days=after_days))
    await world.run(send_reports, send_returns, close_observed, settle)
    return await world.column("SELECT state FROM cases")


async def test_silence_is_lawful_and_closes_the_loop(world, number):
    await world.run(send_reports)
    assert await settled(world, after_days=19) == ["completed"]
    assert await settled(world, after_days=20) == ["settled"]
    assert await world.column("SELECT reason FROM handovers") == ["no_abnormal_news"]


async def test_abnormal_news_reopens_a_closed_handover_and_its_settled_case(world, number, labour):
    await world.run(send_reports)
    assert await settled(world) == ["settled"]
    due = (NOW + timedelta(days=40)).date()
    await world.report(feedback(number, labour, rectification_due=due.isoformat()))
    await world.run(admit_feedback)
    assert await world.column("SELECT state FROM cases") == ["completed"]
    (row,) = await world.rows("SELECT state, observe_until FROM handovers")
    assert (row["state"], row["observe_until"]) == ("observing", due)
    assert await settled(world, after_days=30) == ["completed"], "what is to be mended is still due"
    assert await settled(world, after_days=41) == ["settled"]
    assert await world.column("SELECT reason FROM handovers") == ["feedback_received"]
    events = await world.column("SELECT event FROM history WHERE entity = 'case' ORDER BY id")
    assert events.count("reopened") == 1
    assert events.count("loop_closed") == 2


async def test_normal_news_reopens_nothing(world, number, labour):
    await world.run(send_reports)
    assert await settled(world) == ["settled"]
    await world.report(feedback(number, labour, result="符合", handling="通过"))
    await world.run(admit_feedback)
    assert await world.column("SELECT state FROM cases") == ["settled"]


async def test_a_case_with_a_refused_report_settles_when_a_person_has_decided(world, number):
    refusal = {
        "match": {"path_regex": "^/v1/reports"},
        "do": {"kind": "status", "status": 422, "code": "rule-broken"},
    }
    await world.faults("credit", refusal)
    await world.run(send_reports)
    assert await settled(world) == ["completed"]
    await world.change(
        "UPDATE effects SET decided_by = '李某', decided_at = now() WHERE channel = 'credit_report'"
    )
    assert await settled(world) == ["settled"]


def penalty(number):
    """A penalty in 双公示 fields."""
    about = party(number)
    return {
        "CF_XDR_MC": about["name"],
        "CF_XDR_LB": about["kind"],
        "CF_XDR_SHXYM": about["id_number"],
        "CF_WSH": f"拟罚〔2026〕{number}号",
        "CF_WFXW": "未按规定派遣",
        "CF_SY": "经查实",
        "CF_YJ": "《劳动合同法》第九十二条",
        "CF_CFLB": "罚款",
        "CF_NR": "罚款五千元",
        "CF_NR_FK": "0.5",
        "CF_CFJG": "市人社局",
        "CF_JDRQ": NOW.date().isoformat(),
        "CF_CFYXQ": date(2099, 12, 31).isoformat(),
        "CF_GSJZQ": (NOW + timedelta(days=90)).date().isoformat(),
    }


async def test_a_penalty_goes_back_and_to_the_credit_system(world, number, labour):
    await world.run(send_reports)
    await world.report(feedback(number, labour, kind="penalty", penalty=penalty(number)))
    await world.run(admit_feedback, send_reports, send_returns)
    assert len(returns(world)) == 1
    (row,) = await world.rows(
        "SELECT e.state, r.kind, r.document_number FROM credit_reports r"
        " JOIN effects e USING (own_id) WHERE r.kind = 'CF'"
    )
    assert row["document_number"] == f"拟罚〔2026〕{number}号"
    assert row["state"] in {"accepted", "refused"}, "it went, whatever the other side thinks of the form"
    assert await world.value("SELECT attempts FROM effects WHERE business_key LIKE 'CF|%%'") == 1


async def test_feedback_of_a_withdrawn_version_reopens_nothing(world, number, labour):
    await world.run(send_reports)
    await world.report(feedback(number, labour))
    await world.run(admit_feedback, send_returns)
    assert await settled(world) == ["settled"]
    await world.report(feedback(number, labour, version=2, operation="d"))
    await world.run(admit_feedback)
    assert await world.column("SELECT state FROM cases") == ["settled"]
    assert await world.column("SELECT withdrawn FROM feedback") == [True]


async def test_each_version_of_a_credit_record_goes_back_once(world):
    drawn = serial()
    await world.enter(credit_record(drawn))
    await world.run(admit_credit_records, send_returns)
    await world.enter(credit_record(drawn, version=2, operation="removal"), credit_record(drawn))
    await world.run(admit_credit_records, send_returns)
    sent = returns(world)
    assert [effect["content_version"] for effect in sent] == [1, 2]
    assert {effect["target"] for effect in sent} == {"platform"}
    assert await world.column("SELECT active FROM credit_records") == [False]
    assert json.dumps(sent)


async def test_the_credit_systems_own_malformed_record_spoils_nothing(world):
    broken = credit_record(serial(), operation="wonder")
    await world.enter(broken, credit_record(serial()))
    await world.run(admit_credit_records, send_returns)
    assert await quarantined(world) == ["unknown-value"]
    assert len(returns(world)) == 1
