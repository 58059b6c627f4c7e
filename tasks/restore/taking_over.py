"""After a restore the count of content versions begins again; the outside still has the old count.

What a source serves now is planned as the first version although the receiver knows another content under
that number. So the receivers' lists are read first: each version they hold is written down as what it is
there, and what is still owed goes under the version after their newest.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import structlog

from adapters.values import Stored, StoredRow
from models.domain.canonical import canonical
from models.domain.keys import own_id
from models.domain.lifecycles.effect import EffectEvent, EffectState
from models.ledger.bulk import Conn
from models.ledger.data_keys import key_id_of
from models.ledger.queries import clock, data_keys, effects, reconciling, taking_over
from models.ledger.queries.effects import NewEffect, Outcome
from models.ledger.queries.taking_over import TAKEN_OVER, Theirs
from models.ledger.sealing import Sealing
from models.ledger.writer import HistoryRow, write_history
from tasks.claiming import note_pushed
from tasks.composition import Services
from tasks.planning import BODY_FIELD, CREDIT
from tasks.reconciliation.reconciling import ACTOR
from tasks.reconciliation.sides import Side, looked_up, pages_of

log = structlog.get_logger(__name__)

_MOST_VERSIONS = 1000
_KEYS = 200
_FRESH = frozenset({EffectState.PLANNED, EffectState.SUPERSEDED})
Versions = dict[int, Stored]


@dataclass(frozen=True, slots=True)
class Found:
    """A version on their list that is not ours as we have it."""

    row: StoredRow
    channel: str
    version: int


async def take_over(
    services: Services, side: Side, days: Sequence[date], *, without_journal: bool = False
) -> int:
    """Write down what the receiver holds otherwise than we have it, under its own version; how many.

    Only what is provably ours: an own id that follows from its business key, of a key the ledger or this
    host's journal knows. ``without_journal`` takes the derived id for proof enough. Safe to repeat.

    Raises:
        NotDone, Unreadable: the receiver cannot be asked now; what was taken over stays.
    """
    unlike: dict[tuple[str, str], list[Found]] = defaultdict(list)
    for day in days:
        counts = await side.counts(day)
        for count in counts:
            group = (count.kind, count.department or "", count.stage or "")
            async for rows in pages_of(side, day, group, counts):
                for found in await _unlike(services, side, rows):
                    unlike[found.channel, found.row.business_key].append(found)
    taken = 0
    for channel in sorted({channel for channel, _ in unlike}):
        keys = sorted(key for its, key in unlike if its == channel)
        for at in range(0, len(keys), _KEYS):
            page = {key: unlike[channel, key] for key in keys[at : at + _KEYS]}
            taken += await _keys(services, side, channel, page, without_journal=without_journal)
    if taken:
        log.warning("versions.taken_over", system=side.name, effects=taken)
    return taken


async def _unlike(services: Services, side: Side, rows: Sequence[StoredRow]) -> list[Found]:
    async with services.ledger.reading() as conn:
        ledger = await reconciling.by_own_id(conn, [row.own_id for row in rows])
    found = []
    for row in rows:
        ours = ledger.get(row.own_id)
        if ours is not None and ours["content_sha256"] == row.content_sha256:
            continue
        channel = row.kind if row.kind in side.channels else side.channels[0]
        if (version := version_of(channel, row.business_key, row.own_id)) is not None:
            found.append(Found(row, channel, version))
    return found


def version_of(channel: str, business_key: str, identity: str) -> int | None:
    """The content version this own id was derived of; None when it was not derived of this key."""
    numbers = range(1, _MOST_VERSIONS + 1)
    return next((n for n in numbers if own_id(channel, business_key, n) == identity), None)


async def _keys(
    services: Services,
    side: Side,
    channel: str,
    page: dict[str, list[Found]],
    *,
    without_journal: bool,
) -> int:
    """These business keys: asked after first, written down in one transaction then."""
    async with services.ledger.reading() as conn:
        known = defaultdict(list)
        for row in await taking_over.of_keys(conn, channel, list(page)):
            known[row["business_key"]].append(row)
        strange = [found.row.own_id for key, rows in page.items() if key not in known for found in rows]
        ours = set(strange) if without_journal else await services.guard.remembers(conn, strange)
    wanted = {
        found.row.own_id
        for key, rows in page.items()
        for found in rows
        if key in known or found.row.own_id in ours
    }
    wanted |= {row["own_id"] for rows in known.values() for row in rows if _fresh(row)}
    held = await looked_up(side, [(channel, each) for each in sorted(wanted)])
    async with services.ledger.writing() as conn:
        return await _write(conn, services, channel, page, held)


def _fresh(row: dict[str, Any]) -> bool:
    """Whether this was planned and never tried: after a restore, planned anew."""
    return row["state"] in _FRESH and row["attempts"] == 0


async def _write(
    conn: Conn, services: Services, channel: str, page: dict[str, list[Found]], held: dict[str, Stored | None]
) -> int:
    now = await clock.business_now(conn)
    ours: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
    for row in await taking_over.of_keys(conn, channel, list(page), hold=True):
        ours[row["business_key"]][row["content_version"]] = row
    before = {row["own_id"]: row["state"] for rows in ours.values() for row in rows.values()}
    theirs: list[Theirs] = []
    there: dict[str, Versions] = {}
    for key, found in page.items():
        there[key] = _there(channel, key, held, [each.version for each in found], ours[key])
        theirs += _to_write(channel, found, there[key], ours[key])
    written = await taking_over.write_theirs(conn, theirs, business_now=now)
    mine = [row for row in theirs if row.own_id in written]
    await _go_on(conn, services.sealing, there, ours)
    pushed = [
        (
            {
                "own_id": row.own_id,
                "case_id": row.case_id,
                "handover_id": row.handover_id,
                "stage": row.stage,
            },
            Outcome(
                own_id=row.own_id,
                state=EffectState.ACCEPTED,
                attempt_outcome="adopted",
                receipt_number=row.receipt_number,
            ),
        )
        for row in mine
        if row.channel == "push" and row.handover_id is not None
    ]
    await note_pushed(conn, services.city, pushed, now)
    event, accepted = EffectEvent.ADOPTED.value, EffectState.ACCEPTED.value
    write_history(
        conn,
        [
            HistoryRow(
                "effect",
                row.own_id,
                row.case_id,
                before.get(row.own_id),
                event,
                accepted,
                TAKEN_OVER,
                ACTOR,
                now,
            )
            for row in mine
        ],
    )
    return len(mine)


def _there(
    channel: str,
    key: str,
    held: dict[str, Stored | None],
    listed: Iterable[int],
    ours: dict[int, dict[str, Any]],
) -> Versions:
    """The versions of a key that they hold, as far as they were asked."""
    versions = {*listed, *ours}
    found = {version: held.get(own_id(channel, key, version)) for version in versions}
    return {version: each for version, each in sorted(found.items()) if each is not None}


def _to_write(
    channel: str, found: Sequence[Found], there: Versions, ours: dict[int, dict[str, Any]]
) -> list[Theirs]:
    """What is written down: versions we lack, and those planned anew with other content."""
    sibling = next(iter(ours.values()), None)
    rows = {each.version: each.row for each in found}
    theirs = []
    for version, stored in there.items():
        mine = ours.get(version)
        if mine is not None and (mine["content_sha256"] == stored.content_sha256 or not _fresh(mine)):
            continue  # adopted as it is, or a question for a person
        listed = rows.get(version) or next(iter(rows.values()))
        theirs.append(
            Theirs(
                own_id=stored.own_id,
                channel=channel,
                target=sibling["target"] if sibling else listed.department or CREDIT,
                business_key=stored.business_key,
                stage=sibling["stage"] if sibling else _stage(channel, listed),
                content_version=version,
                content_sha256=stored.content_sha256,
                receipt_number=stored.receipt.number,
                receipt_at=stored.receipt.at,
                receipt_account=stored.receipt.account,
                case_id=sibling["case_id"] if sibling else None,
                handover_id=sibling["handover_id"] if sibling else None,
            )
        )
    return theirs


def _stage(channel: str, listed: StoredRow) -> str | None:
    if channel == "credit_report":
        return listed.kind
    return listed.business_key.split("|")[1] if channel == "return" else listed.stage


async def _go_on(
    conn: Conn, sealing: Sealing, there: dict[str, Versions], ours: dict[str, dict[int, dict[str, Any]]]
) -> None:
    """What was planned anew is dropped where they have it, and else goes under the version after theirs."""
    dropped: list[str] = []
    later: list[tuple[dict[str, Any], int]] = []
    for key, versions in there.items():
        planned = [row for row in ours[key].values() if _fresh(row) and row["state"] == EffectState.PLANNED]
        for row in planned if versions else []:
            version, newest = row["content_version"], max(versions)
            same = row["content_sha256"] == versions[newest].content_sha256
            if same and version != newest:
                dropped.append(row["own_id"])
            elif not same and version <= newest:
                later.append((row, max(newest, *ours[key]) + 1))
    await taking_over.supersede(conn, dropped)
    await data_keys.load(conn, sealing, [row["body_sealed"] for row, _ in later])
    await effects.plan(conn, [_under(sealing, row, version) for row, version in later])


def _under(sealing: Sealing, row: dict[str, Any], version: int) -> NewEffect:
    """The same content under another version: composed anew, for its bytes name id and version."""
    identity = own_id(row["channel"], row["business_key"], version)
    told = json.loads(sealing.open_sealed(BODY_FIELD, row["own_id"], row["body_sealed"]))
    body = canonical(told | {"own_id": identity, "content_version": version})
    key = key_id_of(row["body_sealed"])
    return NewEffect(
        own_id=identity,
        channel=row["channel"],
        target=row["target"],
        business_key=row["business_key"],
        stage=row["stage"],
        content_version=version,
        content_sha256=row["content_sha256"],
        body_sealed=sealing.seal_for(UUID(bytes=key), BODY_FIELD, identity, body)
        if key is not None
        else sealing.seal(BODY_FIELD, identity, body),
        case_id=row["case_id"],
        handover_id=row["handover_id"],
        send_after=row["send_after"],
    )
