"""Somebody asks for another try of what was refused: the same id goes, since nothing is stored under it."""

from collections.abc import Sequence
from uuid import UUID

from models.domain.lifecycles.effect import EffectEvent, EffectState
from models.ledger.connection import Ledger
from models.ledger.queries import clock, effects
from models.ledger.writer import HistoryRow, write_history

ACTOR = "人工重试"


async def ask_again(ledger: Ledger, case_ids: Sequence[UUID], *, actor: str = ACTOR) -> int:
    """Plan what was refused of these cases once more; how many effects. Never a held text."""
    async with ledger.writing() as conn:
        now = await clock.business_now(conn)
        rows = await effects.ask_again(conn, case_ids)
        write_history(
            conn,
            [
                HistoryRow(
                    "effect",
                    row["own_id"],
                    row["case_id"],
                    EffectState.REFUSED.value,
                    EffectEvent.ASKED_AGAIN.value,
                    row["state"],
                    None,
                    actor,
                    now,
                )
                for row in rows
            ],
        )
    return len(rows)
