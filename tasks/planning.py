"""Plan what is owed to the outside: compose the exact bytes, seal them, write the effects.

Called inside the transaction of the transition that makes them owed. Content that was sent already
is not sent again; changed content goes under the next version of the same business key.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from config.city import CatalogItem
from models.domain.bodies import Stage, envelope, push_content, report_body
from models.domain.canonical import content_hash
from models.domain.keys import own_id, push_key
from models.domain.lifecycles.case import CaseResult
from models.domain.lifecycles.effect import Channel
from models.domain.record import CaseRecord
from models.ledger.bulk import Conn
from models.ledger.queries import effects
from models.ledger.sealing import Sealing
from tasks.evidence.subjects import keys_of

BODY_FIELD = "effects.body"
PLATFORM = "platform"
CREDIT = "credit"

_NEVER_LEFT = frozenset({"superseded"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """One thing owed before it has a version: what it is about, and how its bytes are composed.

    ``party`` is the index of the party whose key seals it, where it belongs to no case.
    ``again`` sends it even where the same content went before (a reinstated case).
    """

    channel: Channel
    target: str
    business_key: str
    content: Any
    compose: Callable[[str, int], bytes]
    stage: str | None = None
    case_id: UUID | None = None
    handover_id: UUID | None = None
    party: bytes | None = None
    again: bool = False


def owed_push(
    record: CaseRecord,
    result: CaseResult | None,
    stage: Stage,
    item: CatalogItem,
    handover: Any,
    *,
    again: bool = False,
) -> Owed:
    """The push of one stage to one handover's department: the item's scope, no more.

    ``handover`` has id, case_id, department_code, section_id and supervision_item.
    """
    department, supervision_item = handover.department_code, handover.supervision_item
    key = push_key(record.case_no, stage, department, supervision_item)
    content = push_content(record, stage, result.value if result else None, item.scope)
    target = {
        "department": department,
        "section": _plain_section(handover.section_id),
        "supervision_item": supervision_item,
    }

    def compose(identity: str, version: int) -> bytes:
        return envelope(
            identity, key, version, content, stage=stage.value, case_no=record.case_no, target=target
        )

    return Owed(
        channel=Channel.PUSH,
        target=department,
        business_key=key,
        content=content,
        compose=compose,
        stage=stage.value,
        case_id=handover.case_id,
        handover_id=handover.id,
        again=again,
    )


def owed_recall(
    case_no: str, case_id: UUID, handover_id: UUID, key: str, target: dict[str, Any], withdraws: Sequence[str]
) -> Owed:
    """The recall of one handover's pushes (撤回推送)."""
    content = {"case_no": case_no, "reason": "源头撤回该办件", "withdraws": list(withdraws)}

    def compose(identity: str, version: int) -> bytes:
        return envelope(identity, key, version, content, case_no=case_no, target=target)

    return Owed(
        channel=Channel.RECALL,
        target=target["department"],
        business_key=key,
        content=content,
        compose=compose,
        case_id=case_id,
        handover_id=handover_id,
    )


def owed_return(
    kind: str, key: str, department: str, case_no: str | None, content: dict[str, Any], case_id: UUID | None
) -> Owed:
    """A supervision result or credit record on its way back to the approval side."""

    def compose(identity: str, version: int) -> bytes:
        return envelope(identity, key, version, content, kind=kind, department=department, case_no=case_no)

    return Owed(
        channel=Channel.RETURN,
        target=department,
        business_key=key,
        content=content,
        compose=compose,
        stage=kind,
        case_id=case_id,
    )


def owed_report(kind: str, key: str, record: dict[str, str], case_id: UUID | None) -> Owed:
    """An approval (XK) or a penalty (CF) for the credit system, in 双公示 fields."""

    def compose(identity: str, version: int) -> bytes:
        return report_body(identity, key, version, kind, record)

    return Owed(
        channel=Channel.CREDIT_REPORT,
        target=CREDIT,
        business_key=key,
        content=record,
        compose=compose,
        stage=kind,
        case_id=case_id,
    )


async def plan(
    conn: Conn, sealing: Sealing, owed: Sequence[Owed], *, business_now: datetime
) -> dict[str, str]:
    """Write the effects for what is owed and was not sent yet; business key → own id of the new ones."""
    last_of_key = {(each.channel, each.business_key): each for each in owed}
    planned: list[tuple[Owed, str, int, bytes]] = []
    for channel in sorted({each.channel for each in owed}):
        mine = [each for (its, _), each in last_of_key.items() if its is channel]
        latest = await effects.latest(conn, channel, [each.business_key for each in mine])
        for each in mine:
            before = latest.get(each.business_key)
            version = _next_version(each, before)
            if version is not None:
                identity = own_id(channel, each.business_key, version)
                planned.append((each, identity, version, each.compose(identity, version)))
    keys = await keys_of(conn, sealing, [(each.case_id, each.party) for each, _, _, _ in planned])
    bodies = [
        sealing.seal_for(key, BODY_FIELD, identity, body)
        for key, (_, identity, _, body) in zip(keys, planned, strict=True)
    ]
    rows = [
        effects.NewEffect(
            own_id=identity,
            channel=each.channel,
            target=each.target,
            business_key=each.business_key,
            stage=each.stage,
            content_version=version,
            content_sha256=content_hash(each.content),
            body_sealed=body,
            case_id=each.case_id,
            handover_id=each.handover_id,
            send_after=business_now,
        )
        for (each, identity, version, _), body in zip(planned, bodies, strict=True)
    ]
    new = await effects.plan(conn, rows)
    return {row.business_key: row.own_id for row in rows if row.own_id in new}


def _next_version(owed: Owed, before: dict[str, Any] | None) -> int | None:
    if before is None:
        return 1
    unchanged = before["content_sha256"] == content_hash(owed.content)
    if unchanged and not owed.again and before["state"] not in _NEVER_LEFT:
        return None
    return int(before["content_version"]) + 1


def _plain_section(section_id: str | None) -> str | None:
    return section_id.rpartition("/")[2] if section_id else None
