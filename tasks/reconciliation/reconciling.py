"""Reconciliation (对账): our account of a day beside the receivers', by count and digest first.

Where both agree nothing is listed. A difference is paged through: what only the answer was lost of is
adopted by their receipt; what they lost goes again under its own id; what nobody can explain stands in
front of a person. Safe to repeat, and to begin again after an end in the midst: a day is whole or new.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import structlog

from adapters.values import CountRow, StoredRow
from models.domain.errors import Unreadable
from models.domain.lifecycles.effect import EffectEvent, EffectState
from models.ledger.bulk import Conn
from models.ledger.connection import Ledger
from models.ledger.queries import clock, quarantine, reconciling
from models.ledger.queries.effects import Outcome
from models.ledger.queries.reconciling import Day, Proof
from models.ledger.queries.taking_over import TAKEN_OVER
from models.ledger.writer import HistoryRow, write_history
from tasks.claiming import note_pushed
from tasks.composition import Services
from tasks.in_front import OPERATIONS_DESK, due_at
from tasks.reconciliation.sides import Group, Side, looked_up, pages_of

log = structlog.get_logger(__name__)

ACTOR = "对账"
DIFFERENCE = "reconcile_difference"
_PAGE = 500
_IN_FLIGHT = frozenset({EffectState.LEASED, EffectState.INTENT})


@dataclass(slots=True)
class Difference:
    """What became of one group's difference."""

    agreed: int = 0
    adopted: int = 0
    sent_again: int = 0
    unexplained: int = 0


async def reconcile_day(services: Services, side: Side, day: date) -> list[Day]:
    """Compare one system's day, mend what can be mended, write the account; its rows.

    Raises:
        NotDone, Unreadable: the other side cannot be asked now; what was adopted so far stays.
    """
    counts = await side.counts(day)
    theirs = {_group(row): row for row in counts}
    if len(theirs) < len(counts):
        raise Unreadable(side.name, "counted-twice")
    async with services.ledger.reading() as conn:
        ours = {
            (row["kind"], row["department"], row["stage"]): row
            for row in await reconciling.our_counts(conn, side.channels, day)
        }
    rows = []
    for group in sorted(theirs.keys() | ours.keys()):
        mine, its = ours.get(group), theirs.get(group)
        count = mine["count"] if mine else 0
        if mine and its and (count, mine["digest"]) == (its.count, its.digest):
            found = Difference(agreed=count)
        else:
            found = await _difference(services, side, day, group, counts)
        rows.append(
            Day(
                system=side.name,
                day=day,
                kind=group[0],
                department=group[1],
                stage=group[2],
                ours=max(count, found.agreed),
                theirs=its.count if its else 0,
                agreed=found.agreed,
                adopted=found.adopted,
                sent_again=found.sent_again,
                unexplained=found.unexplained,
            )
        )
    await _write(services, side, day, rows)
    return rows


def _group(row: CountRow) -> Group:
    return row.kind, row.department or "", row.stage or ""


async def _difference(
    services: Services, side: Side, day: date, group: Group, counts: Sequence[CountRow]
) -> Difference:
    found = Difference()
    async with services.ledger.reading() as conn:
        ours = await reconciling.our_effects(conn, side.channels, day, group)
    seen: dict[str, str] = {}
    async for rows in pages_of(side, day, group, counts):
        # A row that is listed again says nothing new, and is nobody's second record.
        new = {row.own_id: row for row in reversed(rows) if row.own_id not in seen}
        seen |= {own_id: row.content_sha256 for own_id, row in new.items()}
        await _theirs(services, side, list(new.values()), found)
    found.unexplained += _unlisted(next((row for row in counts if _group(row) == group), None), seen)
    # Not on this day's list: on a neighbour's, or lost. A look-up knows every day.
    missing = sorted(ours.keys() - seen)
    for at in range(0, len(missing), _PAGE):
        await _missing(services, side, missing[at : at + _PAGE], ours, found)
    return found


def _unlisted(stated: CountRow | None, seen: Mapping[str, str]) -> int:
    """How many of those they count their list does not bear out: held twice, left out, or other content.

    A list may well be longer than the count: of today more comes while it is read.
    """
    if stated is None or stated.count < len(seen):
        return 0
    if stated.count > len(seen):
        return stated.count - len(seen)
    listed = "".join(f"{own_id} {sha256}\n" for own_id, sha256 in sorted(seen.items()))
    return int(hashlib.sha256(listed.encode()).hexdigest() != stated.digest)


async def _theirs(services: Services, side: Side, rows: Sequence[StoredRow], found: Difference) -> None:
    """What they hold, page by page: agreed, to be adopted, in flight, or a question."""
    async with services.ledger.reading() as conn:
        ledger = await reconciling.by_own_id(conn, [row.own_id for row in rows])
        strange = [row.own_id for row in rows if row.own_id not in ledger]
        known = await services.guard.remembers(conn, strange)
    lost_answers = []
    for row in rows:
        ours = ledger.get(row.own_id)
        if ours is None:
            found.unexplained += row.own_id not in known
        elif ours["content_sha256"] != row.content_sha256 or ours["business_key"] != row.business_key:
            found.unexplained += 1
        elif ours["state"] == EffectState.ACCEPTED:
            found.agreed += 1
        elif ours["state"] not in _IN_FLIGHT:
            lost_answers.append(ours)
    adopted = await adopt(services, side, lost_answers)
    found.adopted += adopted
    found.agreed += adopted


async def adopt(services: Services, side: Side, effects: Sequence[dict[str, object]]) -> int:
    """Take what they hold of ours as accepted, by their own receipts; how many."""
    held = await looked_up(side, [(str(e["channel"]), str(e["own_id"])) for e in effects])
    proofs = [
        Proof(each.own_id, each.content_sha256, each.receipt.number, each.receipt.at, each.receipt.account)
        for each in held.values()
        if each is not None
    ]
    if not proofs:
        return 0
    by_id = {proof.own_id: proof for proof in proofs}
    async with services.ledger.writing() as conn:
        now = await clock.business_now(conn)
        rows = await reconciling.adopt(conn, proofs, business_now=now)
        pushed = [
            (
                row,
                Outcome(
                    own_id=row["own_id"],
                    state=EffectState.ACCEPTED,
                    attempt_outcome="adopted",
                    receipt_number=by_id[row["own_id"]].receipt_number,
                ),
            )
            for row in rows
            if row["channel"] == "push"
        ]
        await note_pushed(conn, services.city, pushed, now)
        write_history(
            conn,
            [
                HistoryRow(
                    "effect",
                    row["own_id"],
                    row["case_id"],
                    row["before"],
                    EffectEvent.ADOPTED.value,
                    EffectState.ACCEPTED.value,
                    "adopted",
                    ACTOR,
                    now,
                )
                for row in rows
            ],
        )
    log.info("effects.adopted", system=side.name, effects=len(rows))
    return len(rows)


async def _missing(
    services: Services, side: Side, own_ids: Sequence[str], ours: dict[str, str], found: Difference
) -> None:
    """What we say they have and this day's list lacks: counted on another day, changed, or lost."""
    async with services.ledger.reading() as conn:
        ledger = await reconciling.by_own_id(conn, own_ids)
    held = await looked_up(side, [(ledger[own_id]["channel"], own_id) for own_id in own_ids])
    found.agreed += sum(1 for o, each in held.items() if each is not None and each.content_sha256 == ours[o])
    found.unexplained += sum(
        1 for o, each in held.items() if each is not None and each.content_sha256 != ours[o]
    )
    gone = [own_id for own_id, each in held.items() if each is None]
    if not gone:
        return
    async with services.ledger.writing() as conn:
        now = await clock.business_now(conn)
        rows = await reconciling.send_again(conn, gone)
        write_history(
            conn,
            [
                HistoryRow(
                    "effect",
                    row["own_id"],
                    row["case_id"],
                    EffectState.ACCEPTED.value,
                    EffectEvent.LOST_THERE.value
                    if row["state"] == EffectState.PLANNED
                    else EffectEvent.OVERTAKEN.value,
                    row["state"],
                    "lost_there",
                    ACTOR,
                    now,
                )
                for row in rows
            ],
        )
    # Of what was taken over after a restore the bytes are not here: a person sees that it is gone.
    again = {row["own_id"] for row in rows}
    found.unexplained += sum(1 for o in gone if o not in again and ledger[o]["reason"] == TAKEN_OVER)
    found.sent_again += sum(1 for row in rows if row["state"] == EffectState.PLANNED)
    log.warning("effects.lost_there", system=side.name, effects=len(rows))


async def reconcile_texts(ledger: Ledger, day: date) -> list[Day]:
    """Texts have no look-up: how many were taken, and of how many a receipt came."""
    async with ledger.writing() as conn:
        sent, told = await reconciling.text_counts(conn, day)
        empty = dict.fromkeys(("adopted", "sent_again", "unexplained"), 0)
        rows = [
            Day(
                system="sms", day=day, kind="sms", department="", stage="",
                ours=sent, theirs=told, agreed=told, **empty,
            )
        ]  # fmt: skip
        await reconciling.write_day(conn, "sms", day, rows)
    return rows


async def _write(services: Services, side: Side, day: date, rows: Sequence[Day]) -> None:
    async with services.ledger.writing() as conn:
        await reconciling.write_day(conn, side.name, day, rows)
        await _tell(conn, services, side)


async def _tell(conn: Conn, services: Services, side: Side) -> None:
    """One incident for each kind and department with an unexplained difference; closed when it is gone."""
    now = await clock.business_now(conn)
    counts = await reconciling.unexplained(conn, side.name)
    names = {code: found.short for code, found in services.city.departments.items()}
    kinds = {"push": "推送", "recall": "撤回", "return": "回传", "XK": "许可报送", "CF": "处罚报送"}
    await quarantine.show_incidents(
        conn,
        [
            quarantine.NewIncident(
                kind=DIFFERENCE,
                key=_key(side, kind, department),
                count=count,
                message=f"对账发现{names.get(department, '')}{kinds.get(kind, kind)}有不能解释的差异："
                "对方存有本方没有的编号、同一编号下内容不同，或对方的笔数、摘要与其清单不符；请与对方逐笔核对",
                owner=OPERATIONS_DESK,
                since=now,
                due_at=due_at(services.calendar, now),
            )
            for (kind, department), count in counts.items()
            if count
        ],
    )
    done = [_key(side, *group) for group, count in counts.items() if not count]
    if done:
        await quarantine.close_incidents(conn, DIFFERENCE, done)


def _key(side: Side, kind: str, department: str) -> str:
    return "|".join(part for part in (side.name, kind, department) if part)


def total(rows: Sequence[Day]) -> Counter[str]:
    """The sums of these rows by name."""
    names = ("ours", "theirs", "agreed", "adopted", "sent_again", "unexplained")
    return Counter({name: sum(getattr(row, name) for row in rows) for name in names})
