"""One-time codes in Prefect's forms: what waits for a worker keeps its code, and guessing is seen."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from adapters.prefect_api.values import PrefectSaidNo
from tasks.operators.accounts import FREE_WRONG
from tests.ui.seen import BROWSER, deployment, ended, over_the_wire, picture, rows, wait

pytestmark = BROWSER

NOTHING = {"department": "没有这个部门", "dry_run": False, "limit": 1}
ACTS = "SELECT outcome, door FROM operator_acts WHERE name = %s AND act = 'rerun_failed' ORDER BY id"


def asked(standing, name, code, *, ago=timedelta(0)):
    """A run of rerun-failed that waited so long for a worker, once it has ended."""
    soon = datetime.now(UTC) + timedelta(seconds=15 if ago else 0)
    state = {"type": "SCHEDULED", "state_details": {"scheduled_time": soon.isoformat()}}
    body = {"state": state, "parameters": {**NOTHING, "operator": name, "code": code}}
    place = f"/deployments/{deployment(standing, 'rerun-failed')}/create_flow_run"
    with pytest.raises(PrefectSaidNo, match="created"):  # when it was asked for is the server's to say
        over_the_wire(standing, place, body | {"created": "2020-01-01T00:00:00Z"})
    run = over_the_wire(standing, place, body)
    if ago:
        with psycopg.connect(standing.prefect, autocommit=True) as conn:
            moved = conn.execute(
                "UPDATE flow_run SET created = created - %s WHERE id = %s AND start_time IS NULL",
                (ago, run["id"]),
            )
            assert moved.rowcount == 1
    return ended(standing, "批量重试", id=run["id"])["state"]


def test_a_run_that_waited_for_a_worker_is_let_in_and_one_too_old_is_told_so(standing, operators) -> None:
    code = operators("值班员乙")
    state = asked(standing, "值班员乙", code(600), ago=timedelta(minutes=10))
    assert state["name"] == "已重试", state
    state = asked(standing, "值班员乙", code(1200), ago=timedelta(minutes=20))
    assert state["name"] == "未执行"
    assert "过期" in state["message"]
    assert rows(standing, ACTS, "值班员乙") == [("proved", "prefect"), ("expired", "prefect")]


def test_guessing_is_seen_on_the_desk(standing, operators, page) -> None:
    code = operators("值班员丙")
    near = {code(30 * step) for step in range(-3, 40)}
    wrong = next(f"{n:06d}" for n in range(100) if f"{n:06d}" not in near)
    for _ in range(FREE_WRONG):
        state = asked(standing, "值班员丙", wrong)
        assert "口令不对" in state["message"]
    assert "后再试" in asked(standing, "值班员丙", code())["message"]
    assert [row[0] for row in rows(standing, ACTS, "值班员丙")] == ["wrong_code"] * FREE_WRONG + ["locked"]

    def drawn():
        body = {"artifacts": {"key": {"any_": ["desk-4-matters"]}}, "limit": 1}
        found = over_the_wire(standing, "/artifacts/latest/filter", body)
        return found[0]["latest_id"] if found and "值班员丙" in found[0]["data"] else None

    page.goto(f"{standing.ui}/artifacts/artifact/{wait('the desk', drawn)}")
    page.get_by_text("值班员丙").first.wait_for()
    picture(page, "codes-that-were-wrong")
