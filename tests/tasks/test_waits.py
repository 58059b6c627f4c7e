"""Why it waits, who has it, until when."""

from datetime import UTC, date, datetime

import pytest

from tasks.waits import MACHINE, why_case, why_handover

DUE = datetime(2026, 4, 1, tzinfo=UTC)
SIDE = "市数据局·市场准入审批科"


def handover(**said):
    usual = {
        "id": "h", "state": "planned", "department_code": "D", "department_name": "卫健委",
        "section_name": "医政科", "reason": None, "owner": None, "due_at": None, "observe_until": None,
    }  # fmt: skip
    return usual | said


def push(state="planned", **said):
    usual = {
        "handover_id": "h",
        "channel": "push",
        "state": state,
        "reason": None,
        "owner": None,
        "due_at": None,
    }
    return usual | {"decided_at": None} | said


def case(**said):
    return {"state": "completed", "needs_credit_check": False, "observe_until": None} | said


NOWHERE = handover(department_code=None, reason="no_department", owner="甲", due_at=DUE)
OBSERVED = handover(state="observing", observe_until=date(2026, 5, 1))
REFUSED_REPORT = push("refused", channel="credit_report", reason="rule_broken")


@pytest.mark.parametrize(
    ("row", "effects", "owner", "why", "due"),
    [
        (NOWHERE, [], "甲", "待审批方分派", DUE),
        (handover(), [push("refused", reason="rule_broken", owner="乙", due_at=DUE)], "乙", "推送被拒", DUE),
        (handover(), [push("held", reason="killed_worker", owner="丙", due_at=DUE)], "丙", "推送已暂挂", DUE),
        (handover(), [push(reason="throttled")], MACHINE, "对方要求稍后再发", None),
        (handover(), [push()], MACHINE, "排队待推送", None),
        (handover(), [], MACHINE, "待下一阶段", None),
        (handover(state="pushed"), [], MACHINE, "待登记认领", None),
        (handover(state="claimed"), [], MACHINE, "待办结信息送达", None),
        (handover(state="returned", reason="wrong_region", due_at=DUE), [], SIDE, "不属本辖区", DUE),
        (handover(state="closed"), [], "卫健委·医政科", "", None),
    ],
)  # fmt: skip
def test_a_handover_says_who_has_it_and_why(row, effects, owner, why, due):
    told = why_handover(row, case(), effects, SIDE)
    assert told.owner == owner
    assert why in told.why
    assert told.due == due


def test_the_department_has_what_it_claimed_and_what_it_observes():
    claimed = why_handover(handover(state="claimed"), case(state="accepted"), [], SIDE)
    assert (claimed.owner, claimed.why) == ("卫健委·医政科", "已认领，待审批部门办结")
    observing = why_handover(
        handover(state="observing", observe_until=date(2026, 4, 1), section_name=None), case(), [], SIDE
    )
    assert observing.owner == "卫健委"
    assert observing.due == datetime(2026, 4, 1, 16, tzinfo=UTC)  # the end of that day in Asia/Shanghai


@pytest.mark.parametrize(
    ("row", "handovers", "effects", "texts", "why"),
    [
        (case(state="settled"), [], [], [], ""),
        (case(state="voided"), [], [], [], ""),
        (case(state="accepted"), [], [], [], "待审批部门办结"),
        (case(), [], [REFUSED_REPORT], [], "信用报送被拒（对方按规则拒收）"),
        (case(), [], [push("refused", decided_at=DUE)], [], "各事项已了结，待系统闭环"),
        (case(), [], [push("held", reason="killed_worker")], [], "推送已暂挂（处理该件时进程多次中断）"),
        (case(), [], [push("unknown")], [], "推送未完成"),
        (case(), [handover(department_code=None)], [], [], "有联动单待分派"),
        (case(), [OBSERVED], [], [], "观察期至 2026-05-01"),
        (case(), [], [], [{"news_state": "no_phone"}], "联络员没有可用手机号"),
        (case(), [], [], [{"news_state": "waiting"}], "短信待发"),
        (case(needs_credit_check=True), [], [], [], "信用查询未完成"),
        (case(observe_until=date(2026, 4, 30)), [], [], [], "观察期至 2026-04-30"),
    ],
)  # fmt: skip
def test_a_case_says_why_its_loop_is_open(row, handovers, effects, texts, why):
    assert why_case(row, handovers, effects, texts, DUE) == why
