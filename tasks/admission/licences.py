"""The licence a granted case brings, renews, changes or ends."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from models.domain.keys import row_id
from models.domain.lifecycles.case import CaseResult
from models.domain.lifecycles.licence import TRANSITIONS, LicenceEvent, LicenceState
from models.domain.record import CaseRecord
from models.ledger.bulk import Conn
from models.ledger.queries import cases
from models.ledger.writer import LICENCE, Move, begin, move

if TYPE_CHECKING:
    from tasks.admission.case_rows import CaseChange

ACTOR = "受理接入"
_EVENTS: Mapping[str, LicenceEvent] = {
    "renew": LicenceEvent.RENEWED,
    "change": LicenceEvent.CHANGED,
    "revoke": LicenceEvent.REVOKED,
    "cancel": LicenceEvent.CANCELLED,
}
_FIRST_STATE: Mapping[str, LicenceState] = {
    "renew": LicenceState.RENEWED,
    "change": LicenceState.CHANGED,
    "revoke": LicenceState.REVOKED,
    "cancel": LicenceState.CANCELLED,
}


def licence_id(record: CaseRecord, party_index: bytes) -> UUID | None:
    """The licence's id: party and number; None where the case brings no licence."""
    if not record.licence_number:
        return None
    return row_id("licence", party_index.hex(), record.licence_number)


async def write_licences(
    conn: Conn,
    changes: Sequence["CaseChange"],
    columns: Mapping[UUID, dict[str, Any]],
    *,
    business_now: datetime,
) -> None:
    """Bring the licences of granted cases up to date; an action their state does not allow leaves them.

    A licence whose case is granted no more is withdrawn.
    """
    granted: dict[UUID, CaseChange] = {}
    for change in sorted(changes, key=lambda one: one.record.completed_at or one.record.changed_at):
        identity = columns[change.id]["licence_id"]
        if identity and change.step.standing.result is CaseResult.GRANTED and change.record.operation != "d":
            granted[identity] = change
    ended = {
        change.before["licence_id"]: change
        for change in changes
        if change.granted_no_more and change.before and change.before["licence_id"]
    }
    if not granted and not ended:
        return
    known = await cases.lock_licences(conn, [*granted, *ended])
    new, moves = [], []
    for identity, change in ended.items():
        row = known.get(identity)
        if row is None or identity in granted or row["case_id"] != change.id:
            continue
        if (LicenceState(row["state"]), LicenceEvent.WITHDRAWN) in TRANSITIONS:
            moves.append(
                Move(
                    id=identity,
                    case_id=change.id,
                    state=LicenceState(row["state"]),
                    event=LicenceEvent.WITHDRAWN,
                    row_version=row["row_version"],
                    reason="withdrawn_at_source" if change.record.operation == "d" else "result_corrected",
                )
            )
    for identity, change in granted.items():
        row = known.get(identity)
        action = change.record.licence_action or "issue"
        if row is None:
            new.append(_new(identity, change, action, columns[change.id]["party_index"]))
            continue
        event = _EVENTS.get(action)
        state = LicenceState(row["state"])
        # Told again by a correction of the same case, the action has happened already.
        done = row["case_id"] == change.id
        if event is not None and not done and (state, event) in TRANSITIONS:
            moves.append(
                Move(
                    id=identity,
                    case_id=change.id,
                    state=state,
                    event=event,
                    row_version=row["row_version"],
                    changes={"case_id": change.id, "valid_to": change.record.valid_to},
                )
            )
    await begin(conn, LICENCE, new, actor=ACTOR, business_now=business_now)
    await move(conn, LICENCE, moves, actor=ACTOR, business_now=business_now)


def _new(identity: UUID, change: "CaseChange", action: str, party_index: bytes) -> cases.NewLicence:
    record = change.record
    return cases.NewLicence(
        id=identity,
        party_index=party_index,
        number=record.licence_number or "",
        state=_FIRST_STATE.get(action, LicenceState.VALID).value,
        reason=None,
        item_code=change.item.code,
        case_id=change.id,
        valid_from=record.valid_from,
        valid_to=record.valid_to,
    )
