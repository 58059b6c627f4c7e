"""A held text goes once more: one person asks, another confirms, each with a one-time code.

The gateway does not know our ids, so nobody can say whether the text arrived; its news has gone on in
the liaison's next digest. Sending it again is a matter of two people who have asked the liaison, never
of a machine, and never of one person.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from models.domain.errors import ShenguanError
from models.domain.lifecycles.effect import EffectEvent, EffectState
from models.domain.messages import state_name
from models.domain.workdays import next_text_time
from models.ledger.bulk import Conn
from models.ledger.connection import Ledger
from models.ledger.queries import clock, decisions, effects, texts
from models.ledger.sealing import Sealing
from models.ledger.writer import HistoryRow, write_history
from tasks.operators.accounts import plain_name, prove


class CannotRelease(ShenguanError):  # noqa: N818 - named as the finding it is
    """This text is not to be released now, or not by this person. ``why`` is Chinese."""

    def __init__(self, own_id: str, why: str) -> None:
        super().__init__(own_id, why)
        self.own_id = own_id
        self.why = why

    def __str__(self) -> str:
        return f"{self.own_id}：{self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseTold:
    """What the call did: ``asked`` by the first person, or ``released`` by the second.

    ``goes_after`` is the business time from which the text may go; none while it waits for the second.
    """

    own_id: str
    step: Literal["asked", "released"]
    asked_by: str
    confirmed_by: str | None
    goes_after: datetime | None


async def release_text(
    ledger: Ledger, sealing: Sealing, own_id: str, *, by: str, code: str, asked_at: datetime | None = None
) -> ReleaseTold:
    """Ask for the release of a held text, or confirm what somebody else asked for.

    A confirmed one goes under the protocol like any text, not before 8:00 and not after 20:00. When its
    outcome is unknown again it is held again, and needs two people again. ``asked_at``: as in
    :func:`tasks.operators.accounts.prove`.

    Raises:
        CannotRelease: it is no held text, was decided, or the same person asked.
        NotProven: the name without its proof.
    """
    by = plain_name(by)
    async with ledger.reading() as conn:
        asks = _assert_releasable(own_id, await decisions.effect_row(conn, own_id), by) is None
    act = "release_ask" if asks else "release_confirm"
    by = await prove(ledger, sealing, name=by, code=code, act=act, subject=own_id, asked_at=asked_at)
    async with ledger.writing() as conn:
        row = await decisions.lock_effect(conn, own_id)
        asked_by = _assert_releasable(own_id, row, by)
        if (asked_by is None) is not asks:
            raise CannotRelease(own_id, "另一人刚刚处理过这一条，请重新查看后再试")
        now = await clock.business_now(conn)
        if asked_by is None:
            await effects.ask_release(conn, own_id, by)
            await _tell(conn, own_id, "release_asked", EffectState.HELD, by, now)
            return ReleaseTold(own_id=own_id, step="asked", asked_by=by, confirmed_by=None, goes_after=None)
        after = next_text_time(now)
        released = await effects.release_held(conn, own_id, confirmed_by=by, send_after=after)
        assert released, "it is locked, held, and asked for by another"
        await texts.take_back(conn, own_id)
        await _tell(conn, own_id, EffectEvent.RELEASED.value, EffectState.PLANNED, by, now)
        return ReleaseTold(
            own_id=own_id, step="released", asked_by=asked_by, confirmed_by=by, goes_after=after
        )


def _assert_releasable(own_id: str, row: dict[str, Any] | None, by: str) -> str | None:
    """Who asked for its release, and waits for another to confirm; None where nobody has."""
    if row is None:
        raise CannotRelease(own_id, "台账中没有这个编号的对外动作")
    if row["channel"] != "sms":
        raise CannotRelease(own_id, "不是短信；推送与报送请用 shenguan rerun，对方认得编号，不会重复")
    if row["decided_at"] is not None:
        raise CannotRelease(own_id, f"已由 {row['decided_by']} 裁定不再发送")
    if row["state"] != EffectState.HELD:
        raise CannotRelease(own_id, f"现为“{state_name('effect', row['state'])}”，不在暂挂中")
    if row["reason"] == "restored":
        raise CannotRelease(own_id, "台账恢复前已外发，是否到达不明，机器不再发送；请致电联络员核实后裁定")
    asked_by: str | None = row["asked_by"] if row["confirmed_by"] is None else None
    if asked_by == by:
        raise CannotRelease(own_id, "放行须由另一人确认：您已申请，请同事用自己的账户再执行一次")
    return asked_by


async def _tell(conn: Conn, own_id: str, event: str, state: EffectState, by: str, now: datetime) -> None:
    reason = "released" if state is EffectState.PLANNED else None
    held = EffectState.HELD.value
    write_history(conn, [HistoryRow("effect", own_id, None, held, event, state.value, reason, by, now)])
