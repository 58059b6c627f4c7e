"""A run's log page is its case's timeline: every line once, whatever ends us while we write."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from adapters.prefect_api.client import PrefectApi
from models.ledger.queries import showing, timelines
from models.ledger.writer import HistoryRow, write_history
from tasks.mirror.lines import tell_timelines
from tasks.mirror.runs import mirror_cases, redraw_all
from tests.adapters.stack.mirrored import BUSINESS, happen, new_case

pytestmark = pytest.mark.stack

EFFECT = """
INSERT INTO effects (own_id, channel, target, business_key, stage, content_version, content_sha256, case_id,
    send_after, state, reason, owner, due_at, answered_business, attempts)
VALUES (%(own)s, %(channel)s, '乙监管局', %(own)s, %(stage)s, 1, '', %(case)s, now(), %(state)s, %(reason)s,
    '甲审批局', %(due)s, %(since)s, 1)
"""
ATTEMPT = """
INSERT INTO effect_attempts (own_id, attempt, worker, finished_at, outcome, answer, leaf)
VALUES (%s, 1, 'w', now(), 'refused', %s, 0)
"""


@pytest.fixture
async def deployment(deployed, prefect: PrefectApi) -> UUID:
    found = await prefect.deployment_id("case-lifecycle")
    assert found is not None
    return found


@pytest.fixture(autouse=True)
async def _clean(ledger):
    async with ledger.writing() as conn:
        await conn.execute("UPDATE mirror SET dirty_since = NULL, told_due = NULL")


async def stop(ledger, case_id, *, channel="push", stage="acceptance", state="refused", reason="rule_broken"):
    own = uuid4().hex
    row = {"own": own, "channel": channel, "stage": stage, "state": state, "reason": reason, "case": case_id}
    async with ledger.writing() as conn:
        await conn.execute(EFFECT, row | {"due": BUSINESS + timedelta(days=2), "since": BUSINESS})
        await conn.execute(ATTEMPT, (own, "rule-broken: XK_JDRQ:late"))
    await happen(ledger, case_id, "effect", own, "intent", state, state, reason)
    return own


async def show(ledger, prefect, deployment) -> int:
    await mirror_cases(ledger, prefect, deployment_id=deployment)
    return (await tell_timelines(ledger, prefect)).lines


async def run_of(ledger, case_id) -> UUID:
    async with ledger.reading() as conn:
        cursor = await conn.execute("SELECT flow_run_id FROM mirror WHERE case_id = %s", (case_id,))
        return (await cursor.fetchone())["flow_run_id"]


async def page(ledger, prefect: PrefectApi, case_id) -> list[dict]:
    chosen = {"flow_run_id": {"any_": [str(await run_of(ledger, case_id))]}}
    return await prefect._wire.post("/logs/filter", {"logs": chosen, "sort": "TIMESTAMP_ASC"})


async def history(ledger, case_id) -> list[str]:
    async with ledger.reading() as conn:
        cursor = await conn.execute("SELECT id FROM history WHERE case_id = %s ORDER BY id", (case_id,))
        return [f"shenguan.history.{row['id']}" for row in await cursor.fetchall()]


async def told_once(ledger, prefect, case_id) -> bool:
    return [line["name"] for line in await page(ledger, prefect, case_id)] == await history(ledger, case_id)


async def its_time_is_over(ledger) -> None:
    async with ledger.writing() as conn:
        await conn.execute(
            "UPDATE mirror SET telling_until = now() - interval '1 s' WHERE telling_id IS NOT NULL"
        )


async def test_the_log_page_is_the_timeline_and_grows_with_it(ledger, prefect, deployment) -> None:
    case_id, case_no = await new_case(ledger)
    assert await show(ledger, prefect, deployment) == 1
    (line,) = await page(ledger, prefect, case_id)
    assert f"收到办件 {case_no}：食品经营许可，审批部门 甲审批局" in line["message"]
    assert f"shenguan case show {case_no}" in line["message"]
    assert "〔2026-03-10 10:00〕" in line["message"], "business time, where it is not the machine's"
    async with ledger.reading() as conn:
        cursor = await conn.execute("SELECT at FROM history WHERE case_id = %s", (case_id,))
        assert datetime.fromisoformat(line["timestamp"]) == (await cursor.fetchone())["at"]

    await happen(ledger, case_id, "case", str(case_id), "accepted", "result_given", "completed")
    assert await show(ledger, prefect, deployment) == 1, "only what is new"
    assert await show(ledger, prefect, deployment) == 0
    assert await told_once(ledger, prefect, case_id)
    async with ledger.reading() as conn:
        lag = await showing.lag(conn)
    assert (lag.cases, lag.lines_cases) == (0, 0)


@pytest.mark.parametrize("stored", [True, False])
async def test_whoever_ends_while_telling_leaves_every_line_once(ledger, prefect, deployment, stored) -> None:
    case_id, _ = await new_case(ledger)
    await show(ledger, prefect, deployment)
    await happen(ledger, case_id, "case", str(case_id), "accepted", "result_given", "completed")
    await mirror_cases(ledger, prefect, deployment_id=deployment)
    if stored:
        # it ends after the lines are there, and before that is noted
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(timelines, "mark_told", _ends)
            with pytest.raises(asyncio.CancelledError):
                await tell_timelines(ledger, prefect)
    else:
        async with ledger.writing() as conn:
            assert await timelines.take(conn, limit=10, seconds=90)
    assert (await tell_timelines(ledger, prefect)).cases == 0, "whoever began may still be at it"
    await its_time_is_over(ledger)
    assert (await tell_timelines(ledger, prefect)).lines == (0 if stored else 1)
    assert await told_once(ledger, prefect, case_id)
    assert (await tell_timelines(ledger, prefect)).cases == 0


async def _ends(*_args):
    raise asyncio.CancelledError


async def test_what_happens_while_it_is_told_comes_next(ledger, prefect, deployment) -> None:
    case_id, _ = await new_case(ledger)
    await mirror_cases(ledger, prefect, deployment_id=deployment)
    read = timelines.lines

    async def read_then_more(conn, taken):
        rows = await read(conn, taken)
        await happen(ledger, case_id, "case", str(case_id), "accepted", "result_given", "completed")
        return rows

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timelines, "lines", read_then_more)
        assert (await tell_timelines(ledger, prefect)).lines == 1
    assert await show(ledger, prefect, deployment) == 1
    assert await told_once(ledger, prefect, case_id)


async def test_lines_of_one_case_get_their_numbers_in_the_order_they_can_be_seen(ledger) -> None:
    case_id, _ = await new_case(ledger)
    async with ledger.writing() as conn:
        row = HistoryRow("case", str(case_id), case_id, "a", "first_seen", "first", None, "x", BUSINESS)
        write_history(conn, [row])
        await conn.write_gathered()  # as just before its COMMIT
        second = asyncio.create_task(
            happen(ledger, case_id, "case", str(case_id), "a", "first_seen", "second")
        )
        await asyncio.sleep(0.3)
        assert not second.done(), "it has no number before the first one can be seen"
    await second
    async with ledger.reading() as conn:
        cursor = await conn.execute("SELECT to_state FROM history WHERE case_id = %s ORDER BY id", (case_id,))
        assert [row["to_state"] for row in await cursor.fetchall()] == ["accepted", "first", "second"]


async def test_a_deleted_run_gets_its_whole_timeline_again(ledger, prefect, deployment) -> None:
    case_id, _ = await new_case(ledger)
    await show(ledger, prefect, deployment)
    gone = await run_of(ledger, case_id)
    await prefect._wire.post("/flow_runs/bulk_delete", {"flow_runs": {"id": {"any_": [str(gone)]}}})
    async with ledger.writing() as conn:
        await conn.execute("UPDATE cases SET state = 'voided' WHERE id = %s", (case_id,))
    await happen(ledger, case_id, "case", str(case_id), "accepted", "withdrawn", "voided")
    assert await show(ledger, prefect, deployment) == 2
    assert await run_of(ledger, case_id) != gone
    assert await told_once(ledger, prefect, case_id)


async def test_drawn_again_from_the_ledger_nothing_stands_twice(ledger, prefect, deployment) -> None:
    cases = [(await new_case(ledger))[0] for _ in range(3)]
    await show(ledger, prefect, deployment)
    await redraw_all(ledger)
    lines = 0
    while (await mirror_cases(ledger, prefect, deployment_id=deployment)).behind:
        pass
    while (told := await tell_timelines(ledger, prefect)).cases:
        lines += told.lines
    for case_id in cases:
        assert await told_once(ledger, prefect, case_id)


async def test_a_failure_says_everything_in_its_first_line(ledger, prefect, deployment) -> None:
    case_id, case_no = await new_case(ledger)
    own = await stop(ledger, case_id)
    await show(ledger, prefect, deployment)
    run = await run_of(ledger, case_id)
    state = (await prefect.run_states([run]))[run].state
    assert (state.type, state.name) == ("FAILED", "推送被拒")
    assert state.message == (
        "推送（受理） → 乙监管局 被拒（对方按规则拒收），自 2026-03-10 10:00。"
        "对方答复：不合对方规则（rule-broken）：XK_JDRQ:late。"
        "可以安全再试：对方没有存下，再发用同一编号。"
        "数据有误的，在源头更正，新版本会自动替代；"
        f"对方已改好的，点 Retry，或运行 shenguan rerun {case_no} --by 账户；"
        f"确定不再发送的，运行 shenguan decide {own} --by 账户 --note 理由。"
        "负责：甲审批局，2026-03-12 10:00 前。"
    )
    last = (await page(ledger, prefect, case_id))[-1]
    assert last["level"] == 40
    assert "被拒（对方按规则拒收）。对方答复：不合对方规则（rule-broken）：XK_JDRQ:late" in last["message"]

    # a second one is told of; decided by a person, it stands in nobody's way, and the run goes on
    other = await stop(
        ledger, case_id, channel="return", stage="feedback", state="held", reason="killed_worker"
    )
    await show(ledger, prefect, deployment)
    assert "另有 1 项待处理" in (await prefect.run_states([run]))[run].state.message
    await decide(ledger, case_id, own)
    await show(ledger, prefect, deployment)
    state = (await prefect.run_states([run]))[run].state
    assert (state.type, state.name) == ("FAILED", "已暂挂")
    assert "处理该件时进程多次中断" in state.message
    assert "写字的人" not in "".join(line["message"] for line in await page(ledger, prefect, case_id))
    await decide(ledger, case_id, other)
    await show(ledger, prefect, deployment)
    state = (await prefect.run_states([run]))[run].state
    assert (state.type, state.name, state.message) == ("RUNNING", "已受理", None)
    assert await told_once(ledger, prefect, case_id)


async def decide(ledger, case_id, own) -> None:
    async with ledger.writing() as conn:
        await conn.execute(
            "UPDATE effects SET decided_by = 'x', decided_at = now() WHERE own_id = %s", (own,)
        )
    await happen(ledger, case_id, "effect", own, "refused", "decided", "refused", "note:写字的人 13900000000")
