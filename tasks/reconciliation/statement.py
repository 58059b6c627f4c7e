"""Our own account in a file, for whoever compares it with what the outside holds."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson

from models.ledger.connection import Ledger
from models.ledger.queries import clock, statement

MACHINE = "系统自动"
"""Who has what is still on its way and needs no person."""
_ON_ITS_WAY = frozenset({"planned", "leased", "intent", "unknown", "waiting"})
_MACHINE_DAYS = 1


async def write_statement(ledger: Ledger, path: Path) -> int:
    """Write one JSON object a line; how many. No personal data stands in it.

    What is still on its way names the machine as its owner, due within a business day.
    """
    written = 0
    async with ledger.reading(snapshot=True) as conn:
        now = await clock.business_now(conn)
        due = now + timedelta(days=_MACHINE_DAYS)
        with path.open("wb") as out:
            out.write(orjson.dumps({"kind": "clock", "business_now": now}) + b"\n")
            async for kind, row in statement.lines(conn):
                out.write(orjson.dumps({"kind": kind, **_owned(row, due)}) + b"\n")
                written += 1
    return written


def _owned(row: dict[str, Any], due: Any) -> dict[str, Any]:
    if row.get("state") in _ON_ITS_WAY and "owner" in row and row["owner"] is None:
        return row | {"owner": MACHINE, "due_at": due}
    return row
