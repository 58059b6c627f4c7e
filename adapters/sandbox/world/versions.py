"""What the platform publishes of a case, and how it goes wrong: repeated, late, corrected, withdrawn."""

import copy
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from adapters.sandbox.world.cases import Case, accepted_record, completed_record
from adapters.sandbox.world.identity import street
from adapters.sandbox.world.timeline import later, office_moment, written

Published = tuple[datetime, Any]
Twist = Callable[[Case, list[Published], random.Random], list[Published]]

# Where a field of the scope lives in the record; those an applicant really has corrected.
_AT_ACCEPTANCE = {"phone": "phone", "contact": "contact", "address": "address"}


def published(case: Case, draw: random.Random) -> list[Published]:
    """Every record of the case with the moment it appears in the feed."""
    records: list[Published] = []
    if not case.item.get("instant"):
        records.append((case.accepted + _lag(draw), accepted_record(case)))
    final = completed_record(case)
    appears = case.completed + _lag(draw)
    if case.late_days:
        appears = office_moment(draw, later(case.completed.date(), case.late_days))
        final["changed_at"] = written(appears)
    records.append((appears, final))
    return _TWISTS.get(case.trait, _as_it_is)(case, records, draw)


def _lag(draw: random.Random) -> timedelta:
    return timedelta(seconds=draw.randint(1, 240))


def _as_it_is(_case: Case, records: list[Published], _draw: random.Random) -> list[Published]:
    return records


def _repeated(_case: Case, records: list[Published], draw: random.Random) -> list[Published]:
    """Each record comes again, byte for byte, within two days."""
    again = [(at + timedelta(minutes=draw.randint(1, 2880)), record) for at, record in records]
    return records + again


def _out_of_order(_case: Case, records: list[Published], draw: random.Random) -> list[Published]:
    """An older version appears after the newer one."""
    if len(records) == 1:
        at, record = records[0]
        records = [(at, record), (at, _changed(record, at + timedelta(minutes=5)))]
    (_, older), (at, newer) = records
    return [(at, newer), (at + timedelta(minutes=draw.randint(10, 1200)), older)]


def _corrected_in_scope(case: Case, records: list[Published], draw: random.Random) -> list[Published]:
    """A new version whose content a supervising department must hear of."""
    at, last = records[-1]
    early = len(records) > 1 and draw.random() < 0.4  # noqa: PLR2004 - a share is corrected before the result
    if early:
        at, last = records[0]
    # A correction before the result falls between acceptance and completion, and moves the result on.
    when = at + (case.completed - case.accepted) / 2 if early else _next_days(draw, at)
    fixed = _changed(last, when)
    fixed["place_of_business"]["address"] = street(draw, "更正后的") + "（更正）"
    if "phone" in case.item["scope"] and draw.random() < 0.5:  # noqa: PLR2004 - a share
        fixed["party"]["phone"] = fixed["party"]["phone"][:-4] + f"{draw.randrange(10_000):04d}"
    if not early:
        return [*records, (when, fixed)]
    end_at, end = records[1]
    end = copy.deepcopy(end) | {"data_version": 3, "place_of_business": fixed["place_of_business"]}
    end["party"] = fixed["party"]
    return [records[0], (when, fixed), (max(end_at, when + timedelta(minutes=1)), end)]


def _corrected_outside_scope(case: Case, records: list[Published], draw: random.Random) -> list[Published]:
    """A new version of which no supervising department may hear: nothing in the scope moved."""
    at, last = records[-1]
    when = _next_days(draw, at)
    fixed = _changed(last, when)
    hidden = next((name for name in _AT_ACCEPTANCE if name not in case.item["scope"]), None)
    if hidden == "phone":
        fixed["party"]["phone"] = fixed["party"]["phone"][:-4] + f"{draw.randrange(10_000):04d}"
    elif hidden:
        fixed["party"][_AT_ACCEPTANCE[hidden]] = f"{fixed['party'][hidden]}（更正）"
    else:
        checked = {"number": f"XYCX9{draw.randrange(10**6):06d}", "checked_at": written(case.accepted)}
        fixed["credit_check"] = checked | {"grade": case.party.grade}
    return [*records, (when, fixed)]


def _withdrawn_after_push(_case: Case, records: list[Published], draw: random.Random) -> list[Published]:
    """The source takes the whole case back after its result was published."""
    at, last = records[-1]
    when = _next_days(draw, at)
    return [*records, (when, _changed(last, when) | {"operation": "d"})]


def _withdrawn_before_result(_case: Case, records: list[Published], draw: random.Random) -> list[Published]:
    """The source takes the case back while it is only accepted; there is no result."""
    at, first = records[0]
    when = at + timedelta(hours=draw.randint(6, 30))
    return [(at, first), (when, _changed(first, when) | {"operation": "d"})]


def _broken_check_digit(case: Case, records: list[Published], _draw: random.Random) -> list[Published]:
    """The party's number has a wrong last sign."""
    number = case.party.id_number
    signs = "0123456789X" if case.party.kind == "自然人" else "0123456789ABCDEFGH"
    wrong = number[:-1] + signs[(signs.find(number[-1]) + 1) % len(signs)]
    return [(at, record | {"party": record["party"] | {"id_number": wrong}}) for at, record in records]


def _dirty_code(case: Case, records: list[Published], draw: random.Random) -> list[Published]:
    """The party's number is right, but written as departments write it."""
    number = case.party.id_number
    dirty = draw.choice(
        (
            f"统一社会信用代码：{number}",
            number.lower(),
            f"{number}（1/1）",
            f"{number}(1/1)",
            f" {number} ",
            f"{number}()",
        )
    )
    return [(at, record | {"party": record["party"] | {"id_number": dirty}}) for at, record in records]


def _changed(record: dict[str, Any], when: datetime) -> dict[str, Any]:
    newer = copy.deepcopy(record)
    return newer | {"data_version": record["data_version"] + 1, "operation": "u", "changed_at": written(when)}


def _next_days(draw: random.Random, at: datetime) -> datetime:
    return office_moment(draw, later(at.date(), draw.randint(1, 3)))


_TWISTS: dict[str, Twist] = {
    "repeated": _repeated,
    "out_of_order": _out_of_order,
    "corrected_in_scope": _corrected_in_scope,
    "corrected_outside_scope": _corrected_outside_scope,
    "withdrawn_after_push": _withdrawn_after_push,
    "withdrawn_before_result": _withdrawn_before_result,
    "broken_credit_code": _broken_check_digit,
    "broken_id_number": _broken_check_digit,
    "dirty_code": _dirty_code,
}
