"""Somebody asks for another try of what was refused: the same id goes, since nothing is stored under it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from models.domain.lifecycles.effect import EffectEvent
from models.domain.stopped import may_repeat
from models.ledger.connection import Ledger
from models.ledger.queries import asking, clock, data_keys
from models.ledger.sealing import SealBroken, Sealing
from models.ledger.writer import HistoryRow, write_history
from tasks.planning import BODY_FIELD

ACTOR = "人工重试"


@dataclass(frozen=True, slots=True)
class Asked:
    """How many effects go again, and a Chinese sentence for each that does not: why asking is no answer."""

    count: int
    left: tuple[str, ...]


async def ask_again(
    ledger: Ledger, sealing: Sealing, case_ids: Sequence[UUID], *, actor: str = ACTOR
) -> Asked:
    """Plan what was refused of these cases once more. Never a held text.

    Nor what they hold otherwise under our id; and what did not open only once it opens.
    """
    async with ledger.reading() as conn:
        doubted = await asking.not_to_ask(conn, case_ids)
        await data_keys.load(conn, sealing, [row["body_sealed"] for row in doubted])
    opened = {row["own_id"] for row in doubted if row["reason"] == "seal_broken" and _opens(sealing, row)}
    async with ledger.writing() as conn:
        now = await clock.business_now(conn)
        before = await asking.stopped_states(conn, case_ids)
        rows = await asking.ask_again(conn, case_ids, opened=sorted(opened))
        write_history(
            conn,
            [
                HistoryRow(
                    "effect",
                    row["own_id"],
                    row["case_id"],
                    before[row["own_id"]],
                    EffectEvent.ASKED_AGAIN.value,
                    row["state"],
                    None,
                    actor,
                    now,
                )
                for row in rows
            ],
        )
    left = tuple(
        f"{row['own_id']} 没有再试：{may_repeat(row['channel'], row['state'], row['reason'])}"
        for row in doubted
        if row["own_id"] not in opened
    )
    return Asked(len(rows), left)


def _opens(sealing: Sealing, row: dict[str, object]) -> bool:
    sealed = row["body_sealed"]
    assert isinstance(sealed, bytes)
    try:
        sealing.open_sealed(BODY_FIELD, str(row["own_id"]), sealed)
    except SealBroken:
        return False
    return True
