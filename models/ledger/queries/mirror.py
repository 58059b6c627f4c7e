"""What Prefect should show of the cases that have moved since it was last told."""

from typing import Any

from models.ledger.bulk import Conn


async def dirty(conn: Conn, limit: int) -> list[dict[str, Any]]:
    """Cases to show, the longest waiting first, with the state's Chinese name and Prefect's type.

    What stands in front of a person comes first: a refused or held effect is a FAILED run. Waiting is
    RUNNING, a closed loop COMPLETED.
    """
    cursor = await conn.execute(
        """
        WITH due AS (
            SELECT m.case_id, m.flow_run_id, m.shown, m.dirty_since, c.case_no, c.item_name, c.item_code,
                d.name AS department, c.region, c.row_version, c.state, c.mode
            FROM mirror m JOIN cases c ON c.id = m.case_id
            LEFT JOIN departments d ON d.code = c.approval_department
            WHERE m.dirty_since IS NOT NULL ORDER BY m.dirty_since LIMIT %s),
        told AS (
            SELECT due.*, e.refused, e.report_refused, e.held, h.planned, h.dispatching, h.observing
            FROM due
            CROSS JOIN LATERAL (
                SELECT bool_or(state = 'refused' AND channel <> 'credit_report' AND decided_at IS NULL)
                           AS refused,
                       bool_or(state = 'refused' AND channel = 'credit_report' AND decided_at IS NULL)
                           AS report_refused,
                       bool_or(state = 'held') AS held
                FROM effects WHERE case_id = due.case_id) e
            CROSS JOIN LATERAL (
                SELECT bool_or(state = 'planned' AND department_code IS NOT NULL) AS planned,
                       bool_or(state = 'planned' AND department_code IS NULL) AS dispatching,
                       bool_or(state = 'observing') AS observing
                FROM handovers WHERE case_id = due.case_id) h)
        SELECT case_id, flow_run_id, shown, dirty_since, case_no, item_name, item_code, department, region,
            row_version,
            CASE WHEN state = 'voided' THEN '已作废' WHEN refused THEN '推送被拒'
                 WHEN report_refused THEN '报送被拒' WHEN held THEN '已暂挂'
                 WHEN state = 'settled' THEN '已闭环' WHEN dispatching THEN '待分派'
                 WHEN planned THEN '待推送' WHEN observing THEN '待反馈'
                 WHEN state = 'completed' THEN '已办结' ELSE '已受理' END AS wanted_name,
            CASE WHEN state = 'voided' THEN 'COMPLETED'
                 WHEN refused OR report_refused OR held THEN 'FAILED'
                 WHEN state = 'settled' THEN 'COMPLETED' ELSE 'RUNNING' END AS wanted_type
        FROM told ORDER BY dirty_since
        """,
        (limit,),
    )
    return await cursor.fetchall()


STATE_NAMES = (
    "已作废",
    "推送被拒",
    "报送被拒",
    "已暂挂",
    "已闭环",
    "待分派",
    "待推送",
    "待反馈",
    "已办结",
    "已受理",
)
"""Every state the mirror shows."""
