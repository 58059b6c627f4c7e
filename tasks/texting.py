"""Texts to liaisons: one at once, what follows within the window in one digest.

Source: reform plan 三(二)4, 向监管联络员发出短信提醒，确保第一时间获知. A text holds no name, number or
address of a party; it waits from 20:00 to 08:00 unless an item says urgent; daily caps are kept.
Whoever has no phone is not skipped in silence: the news stands in front of a person.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog

from config.city import City
from models.domain.canonical import canonical, sha256_hex
from models.domain.keys import own_id, reference_of
from models.domain.lifecycles.effect import Channel
from models.domain.messages import News, text_for
from models.domain.workdays import Calendar, business_day, next_text_time
from models.ledger.bulk import Conn
from models.ledger.connection import Ledger
from models.ledger.queries import clock, data_keys, effects, texts
from models.ledger.sealing import Sealing
from tasks.in_front import OPERATIONS_DESK, due_at
from tasks.planning import BODY_FIELD

log = structlog.get_logger(__name__)

PHONE_FIELD = "liaisons.phone"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRules:
    """The window of a digest in business minutes, and how many texts a phone gets on a day."""

    digest_minutes: int
    daily_cap: int
    unknown_hold_minutes: int


@dataclass(slots=True)
class _Phone:
    """One phone with the news for it and whom each is for; it may serve several sections."""

    liaison: dict[str, Any]
    news: list[tuple[dict[str, Any], str]] = field(default_factory=list)
    sections: list[str] = field(default_factory=list)


async def plan_texts(
    ledger: Ledger, sealing: Sealing, city: City, calendar: Calendar, rules: TextRules, *, limit: int = 10_000
) -> int:
    """Plan the texts that may go now; returns how many. News whose time has not come keeps waiting.

    What waits for a window to pass is not even read: a first text is as fast behind many waiting ones.
    """
    async with ledger.writing() as conn:
        now = await clock.business_now(conn)
        sections = await texts.waiting_sections(conn)
        if not sections:
            return 0
        liaisons = await texts.liaisons_of(conn, sorted(sections), business_day(now))
        candidates = {one["phone_index"] for them in liaisons.values() for one in them if one["phone_index"]}
        last = await texts.last_texts(conn, sorted(candidates), business_day(now).isoformat())
        refused = {phone for phone, row in last.items() if row["refused"]}
        reached, unreached = _open_sections(sections, liaisons, last, refused, rules, now)
        if not reached and not unreached:
            return 0
        news = await texts.waiting_news(conn, limit, reached, unreached)
        phones, nobody = _by_phone(news, liaisons, refused)
        due = due_at(calendar, now)
        await texts.without_phone(conn, [(row["push_own_id"], OPERATIONS_DESK, due) for row in nobody])
        return await _plan(conn, sealing, city, phones, last, rules, now)


def _reachable(people: Sequence[dict[str, Any]], refused: set[bytes]) -> dict[str, Any] | None:
    """The main liaison in office, else the backup: whoever has a phone that the gateway takes."""
    return next((one for one in people if one["phone_index"] and one["phone_index"] not in refused), None)


def _open_sections(
    sections: dict[str, bool],
    liaisons: dict[str, list[dict[str, Any]]],
    last: dict[bytes, dict[str, Any]],
    refused: set[bytes],
    rules: TextRules,
    now: datetime,
) -> tuple[list[str], list[str]]:
    """The sections whose phone may have a text now, and those that nobody can be reached for."""
    by_phone: dict[bytes, list[str]] = {}
    unreached = []
    for section in sections:
        person = _reachable(liaisons.get(section, []), refused)
        if person is None:
            unreached.append(section)
        else:
            by_phone.setdefault(person["phone_index"], []).append(section)
    reached = [
        section
        for phone, theirs in by_phone.items()
        if _may_go(last.get(phone), rules, now, urgent=any(sections[section] for section in theirs))
        for section in theirs
    ]
    return reached, unreached


def _by_phone(
    news: Sequence[dict[str, Any]], liaisons: dict[str, list[dict[str, Any]]], refused: set[bytes]
) -> tuple[dict[bytes, _Phone], list[dict[str, Any]]]:
    phones: dict[bytes, _Phone] = {}
    nobody = []
    for row in news:
        reachable = _reachable(liaisons.get(row["section_id"], []), refused)
        if reachable is None:
            nobody.append(row)
            continue
        phone = phones.setdefault(reachable["phone_index"], _Phone(reachable))
        phone.news.append((row, reachable["number"]))
        if reachable["section_name"] not in phone.sections:
            phone.sections.append(reachable["section_name"])
    return phones, nobody


async def _plan(
    conn: Conn,
    sealing: Sealing,
    city: City,
    phones: dict[bytes, _Phone],
    last: dict[bytes, dict[str, Any]],
    rules: TextRules,
    now: datetime,
) -> int:
    day = business_day(now).isoformat()
    nobody = (await data_keys.of_subjects(conn, sealing, {data_keys.NO_PARTY}))[data_keys.NO_PARTY]
    rows, details, folds = [], [], []
    for index, phone in phones.items():
        urgent = any(row["urgent"] for row, _ in phone.news)
        if not _may_go(last.get(index), rules, now, urgent=urgent):
            continue
        key = f"{index.hex()[:24]}|{day}|{last[index]['today'] + 1}"
        identity = own_id(Channel.SMS, key, 1)
        text = text_for(
            [News(row["item_name"], row["stage"]) for row, _ in phone.news],
            section="、".join(phone.sections),
            reference=reference_of(identity),
            one=city.templates["one"],
            digest=city.templates["digest"],
        )
        liaison = phone.liaison
        mobile = sealing.open_sealed(PHONE_FIELD, liaison["id"], liaison["phone_sealed"]).decode()
        digest = sha256_hex(text.encode())
        rows.append(
            effects.NewEffect(
                own_id=identity,
                channel=Channel.SMS.value,
                target=index.hex(),
                business_key=key,
                stage=None,
                content_version=1,
                content_sha256=digest,
                body_sealed=sealing.seal_for(
                    nobody, BODY_FIELD, identity, canonical({"mobile": mobile, "content": text})
                ),
                case_id=None,
                handover_id=None,
                send_after=now,
            )
        )
        details.append(
            texts.NewText(
                own_id=identity,
                phone_index=index,
                reference=reference_of(identity),
                business_day=day,
                planned_business=now,
                news_count=len(phone.news),
                text_sha256=digest,
            )
        )
        folds += [(row["push_own_id"], identity, who) for row, who in phone.news]
    new = await effects.plan(conn, rows)
    await texts.add_texts(conn, [each for each in details if each.own_id in new])
    await texts.fold(conn, [fold for fold in folds if fold[1] in new])
    return len(new)


def _may_go(last: dict[str, Any] | None, rules: TextRules, now: datetime, *, urgent: bool) -> bool:
    if next_text_time(now, urgent=urgent) > now:
        return False
    if last is None or last["planned_business"] is None:
        return True
    if last["open"] or last["today"] >= rules.daily_cap:
        return False
    return bool(now >= last["planned_business"] + timedelta(minutes=rules.digest_minutes))


async def hold_unknown_texts(ledger: Ledger, calendar: Calendar, rules: TextRules) -> int:
    """Texts whose outcome stays unknown are held: a machine never sends them again.

    Their news joins the liaison's next digest, under a new id. So does that of refused texts, once
    somebody of the section has a phone that the gateway takes.
    """
    async with ledger.writing() as conn:
        now = await clock.business_now(conn)
        await texts.unfold_refused(conn)
        stuck = await effects.unknown_texts(conn, now - timedelta(minutes=rules.unknown_hold_minutes))
        if not stuck:
            return 0
        held = await effects.hold(
            conn, stuck, reason="outcome_unknown", owner=OPERATIONS_DESK, due_at=due_at(calendar, now)
        )
        await texts.unfold(conn, [row["own_id"] for row in held])
    log.warning("texts.held", texts=len(held))
    return len(held)
