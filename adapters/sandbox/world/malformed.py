"""Records that break the contract, each in its own way; they are no cases and come beside them."""

import copy
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from adapters.sandbox.world.cases import Case, completed_record
from adapters.sandbox.world.versions import Published

_HUGE = 200_000  # characters
_ROUNDS = 700  # cases for each further round of breaks


def malformed(cases: list[Case], draw: random.Random) -> list[Published]:
    """Every kind of break at least once, and once more for every 700 cases."""
    rounds = 1 + len(cases) // _ROUNDS
    found: list[Published] = []
    for number, spoil in enumerate(list(_BREAKS) * rounds):
        case = draw.choice(cases)
        record = copy.deepcopy(completed_record(case))
        # Its own number: a broken record must not speak for a whole case.
        record["case_no"] = f"BAD-{case.case_no[:40]}-{number:04d}"
        found.append((case.completed + timedelta(minutes=draw.randint(5, 600)), spoil(record)))
    return found


def _without_number(record: dict[str, Any]) -> Any:
    del record["case_no"]
    return record


def _wrong_types(record: dict[str, Any]) -> Any:
    return record | {"data_version": "第一版", "party": ["不是", "对象"]}


def _long_number(record: dict[str, Any]) -> Any:
    return record | {"case_no": (record["case_no"] + "0" * 80)[:80]}


def _unknown_status(record: dict[str, Any]) -> Any:
    return record | {"status": "55", "result": None}


def _null_sign(record: dict[str, Any]) -> Any:
    record["place_of_business"]["address"] = "拟安路\x001号"
    return record


def _lone_surrogate(record: dict[str, Any]) -> Any:
    record["party"]["name"] = "拟\ud800商行"
    return record


def _huge_text(record: dict[str, Any]) -> Any:
    return record | {"content": "拟" * (_HUGE // 3)}


def _not_an_object(record: dict[str, Any]) -> Any:
    return [record["case_no"], "不是对象"]


def _no_offset(record: dict[str, Any]) -> Any:
    return record | {"accepted_at": record["accepted_at"][:19]}


_BREAKS: tuple[Callable[[dict[str, Any]], Any], ...] = (
    _without_number,
    _wrong_types,
    _long_number,
    _unknown_status,
    _null_sign,
    _lone_surrogate,
    _huge_text,
    _not_an_object,
    _no_offset,
)
