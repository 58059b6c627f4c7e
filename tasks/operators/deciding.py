"""What only a person ends: a refused effect nobody will send again, a quarantined record let in once more."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from config.log_privacy import looks_personal
from models.domain.errors import ShenguanError
from models.domain.lifecycles.handover import HandoverEvent, HandoverState
from models.domain.messages import CHANNELS, RECORD_KINDS, state_name
from models.domain.reasons import note
from models.ledger.bulk import Conn
from models.ledger.connection import Ledger
from models.ledger.queries import clock, decisions, quarantine
from models.ledger.writer import HANDOVER, HistoryRow, Move, move, write_history

NOTE_LIMIT = 200


class CannotDecide(ShenguanError):  # noqa: N818 - named as the finding it is
    """This is not a person's to decide, or it cannot be told which is meant. ``why`` is Chinese."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(what, why)
        self.what = what
        self.why = why

    def __str__(self) -> str:
        return f"{self.what}：{self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A decision as the ledger has it."""

    own_id: str
    channel: str
    state: str
    by: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A record in front of a person. Its bytes stay sealed; ``sha256`` names them."""

    id: UUID
    kind: str
    kind_name: str
    record_key: str
    line_no: int | None
    rule: str
    message: str
    owner: str
    due_at: datetime
    opened_at: datetime
    source: str = ""
    version: int | None = None
    sha256: str = ""
    attempts: int = 0
    released_at: datetime | None = None
    released_by: str | None = None


@dataclass(frozen=True, slots=True)
class Released:
    """The records that wait for their turn again, by their quarantine ids."""

    released: tuple[UUID, ...]
    by: str


async def decide(ledger: Ledger, own_id: str, *, by: str, note_said: str) -> Decided:
    """Write who decided a refused effect and why; then its case can settle.

    A completion push that nobody will send again ends its handover; one that arrives later, with newer
    content, opens it again.

    A held text may be decided too: its news has gone on in the next digest. What else is held may
    have happened over there, and is asked for again instead.

    Raises:
        CannotDecide: there is no such effect, it is no person's to decide, it was decided before, or the
            note looks as if it named a person.
    """
    if looks_personal(note_said):
        raise CannotDecide(own_id, "说明中疑似含有身份证号或手机号，请去掉后再试")
    async with ledger.writing() as conn:
        row = await decisions.lock_effect(conn, own_id)
        if row is None:
            raise CannotDecide(own_id, "台账中没有这个编号的对外动作")
        if row["decided_at"] is not None:
            raise CannotDecide(own_id, f"已由 {row['decided_by']} 裁定")
        if row["state"] == "held" and row["reason"] == "seal_broken":
            raise CannotDecide(own_id, "密封内容打不开：请从备份恢复这一条，或由源头发来新版本，不能直接裁定")
        if row["state"] == "held" and row["channel"] != "sms":
            raise CannotDecide(own_id, "已暂挂的推送与报送结果未明，请用 shenguan rerun 再试，不能直接裁定")
        if row["state"] not in {"refused", "held"}:
            raise CannotDecide(own_id, f"现为“{state_name('effect', row['state'])}”，无须裁定")
        now = await clock.business_now(conn)
        await decisions.decide(conn, own_id, by)
        told = HistoryRow(
            "effect", own_id, row["case_id"], row["state"], "decided", row["state"], note(note_said), by, now
        )
        write_history(conn, [told])
        if handover := await decisions.handover_at_its_end(conn, own_id):
            await move(conn, HANDOVER, [_ended(handover)], actor=by, business_now=now)
    return Decided(
        own_id=own_id,
        channel=CHANNELS.get(row["channel"], row["channel"]),
        state=row["state"],
        by=by,
        note=note_said,
    )


def _ended(handover: dict[str, Any]) -> Move:
    return Move(
        id=handover["id"],
        case_id=handover["case_id"],
        state=HandoverState(handover["state"]),
        event=HandoverEvent.DECIDED,
        row_version=handover["row_version"],
        reason="decided",
    )


async def list_quarantine(ledger: Ledger, *, limit: int) -> tuple[Quarantined, ...]:
    """The records in front of a person, the most pressing first."""
    async with ledger.reading() as conn:
        rows = await quarantine.open_list(conn, limit)
    return tuple(Quarantined(kind_name=RECORD_KINDS.get(row["kind"], row["kind"]), **row) for row in rows)


async def show_quarantine(ledger: Ledger, said: str) -> Quarantined:
    """One record, by its id, the beginning of its id, or its record's number.

    Raises:
        CannotDecide: none, or several answer to it.
    """
    async with ledger.reading() as conn:
        row = await decisions.quarantined(conn, await _find(conn, said))
    assert row is not None
    return Quarantined(
        kind_name=RECORD_KINDS.get(row["kind"], row["kind"]),
        version=row.pop("record_version"),
        **{name: value for name, value in row.items() if name not in {"received_at", "outcome"}},
    )


async def release(ledger: Ledger, said: str, *, by: str) -> Released:
    """Let a record be tried again. One that is corrected at its source comes as a new version by itself.

    Raises:
        CannotDecide: none, or several answer to what was said.
    """
    async with ledger.reading() as conn:
        identity = await _find(conn, said)
    async with ledger.writing() as conn:
        inbox_ids = await quarantine.release(conn, [identity], by)
    if not inbox_ids:
        raise CannotDecide(said, "已经放行")
    return Released((identity,), by)


async def _find(conn: Conn, said: str) -> UUID:
    found = await decisions.find_quarantined(conn, said)
    if not found:
        raise CannotDecide(said, "隔离区中没有这条记录，或已放行")
    if len(found) > 1:
        several = "、".join(str(one)[:8] for one in found)
        raise CannotDecide(said, f"对应多条记录（{several}…），请给出完整编号")
    return found[0]
