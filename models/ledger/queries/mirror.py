"""What Prefect should show of the cases that have moved since it was last told."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from models.ledger.bulk import Conn
from models.ledger.queries.by_month import last_answer

_WANTED = (
    """
    SELECT due.case_id, due.flow_run_id, due.shown, due.message, due.dirty_since, c.case_no, c.item_name,
        COALESCE(d.name, c.approval_department) AS department, c.region,
        CASE WHEN c.state = 'voided' THEN '已作废' WHEN e.refused THEN '推送被拒'
             WHEN e.report_refused THEN '报送被拒' WHEN e.held THEN '已暂挂'
             WHEN c.state = 'settled' THEN '已闭环' WHEN h.dispatching THEN '待分派'
             WHEN h.planned THEN '待推送' WHEN h.observing THEN '待反馈'
             WHEN c.state = 'completed' THEN '已办结' ELSE '已受理' END AS wanted_name,
        CASE WHEN c.state = 'voided' THEN 'COMPLETED'
             WHEN e.refused OR e.report_refused OR e.held THEN 'FAILED'
             WHEN c.state = 'settled' THEN 'COMPLETED' ELSE 'RUNNING' END AS wanted_type,
        s.own_id AS stopped_id, s.channel AS stopped_channel, s.stage AS stopped_stage,
        s.state AS stopped_state, s.reason AS stopped_reason,
        COALESCE(s.answered_business, s.send_after) AS stopped_since,
        COALESCE(t.name, s.target) AS stopped_target, COALESCE(o.name, s.owner) AS stopped_owner,
        s.due_at AS stopped_due, e.stopped,
        """
    + last_answer("s")
    + """ AS stopped_answer
    FROM due JOIN cases c ON c.id = due.case_id
    LEFT JOIN departments d ON d.code = c.approval_department
    CROSS JOIN LATERAL (
        SELECT bool_or(state = 'refused' AND channel <> 'credit_report') AS refused,
               bool_or(state = 'refused' AND channel = 'credit_report') AS report_refused,
               bool_or(state = 'held') AS held, count(*) AS stopped
        FROM effects WHERE case_id = due.case_id AND decided_at IS NULL
            AND state IN ('refused', 'held')) e
    CROSS JOIN LATERAL (
        SELECT bool_or(state = 'planned' AND department_code IS NOT NULL) AS planned,
               bool_or(state = 'planned' AND department_code IS NULL) AS dispatching,
               bool_or(state = 'observing') AS observing
        FROM handovers WHERE case_id = due.case_id) h
    LEFT JOIN LATERAL (
        SELECT * FROM effects f WHERE f.case_id = due.case_id AND f.decided_at IS NULL
            AND f.state IN ('refused', 'held') AND c.state <> 'voided'
        ORDER BY f.state = 'refused' DESC, f.channel = 'credit_report', f.due_at, f.own_id LIMIT 1) s
        ON e.stopped > 0
    LEFT JOIN departments t ON t.code = s.target
    LEFT JOIN departments o ON o.code = s.owner
    ORDER BY due.dirty_since, due.case_id
"""
)
"""What stands in front of a person comes first: a refused or held effect is a FAILED run, with the effect
that is told of first. Waiting is RUNNING, a closed loop COMPLETED."""

_DIRTY = (
    """
    WITH due AS (
        SELECT case_id, flow_run_id, shown, message, dirty_since FROM mirror
        WHERE dirty_since <= clock_timestamp() - make_interval(secs => %s) ORDER BY dirty_since LIMIT %s)
    """
    + _WANTED
)
_THESE = (
    """
    WITH due AS (
        SELECT case_id, flow_run_id, shown, message, dirty_since FROM mirror WHERE case_id = ANY(%s))
    """
    + _WANTED
)


async def dirty(conn: Conn, limit: int, *, quiet_s: float = 0) -> list[dict[str, Any]]:
    """Cases to show, the longest waiting first, with the state's Chinese name and Prefect's type.

    Only those that have not moved for ``quiet_s`` seconds.

    ``stopped_…`` is the effect that stands in front of a person, all None where none does.
    """
    cursor = await conn.execute(_DIRTY.encode(), (quiet_s, limit))
    return await cursor.fetchall()


async def wanted(conn: Conn, case_ids: Collection[UUID]) -> list[dict[str, Any]]:
    """As ``dirty``, of these cases, whether they have moved or not."""
    cursor = await conn.execute(_THESE.encode(), (list(case_ids),))
    return await cursor.fetchall()


NAMES_BY_TYPE = {
    "RUNNING": ("待分派", "待推送", "待反馈", "已办结", "已受理"),
    "FAILED": ("推送被拒", "报送被拒", "已暂挂"),
    "COMPLETED": ("已闭环", "已作废"),
}
"""Every state the mirror shows, by the type Prefect colours it by."""

STATE_NAMES = tuple(name for names in NAMES_BY_TYPE.values() for name in names)
"""Every state the mirror shows."""
