"""Months of leaves that lie in files: which positions of the log a sealed leaf says are there.

The ledger's own table of archived months excuses nothing: whoever can delete leaves can write it.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from models.domain.merkle import leaf_hash
from models.evidence.audit import Trusted
from models.evidence.folder import EvidenceFolder

_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class MonthGone:
    """A month (2023-07) in a file of this digest, and its positions: from, up to but without."""

    month: str
    sha256: str
    spans: tuple[tuple[int, int], ...]


def months_gone(
    rows: Iterable[Mapping[str, Any]], folder: EvidenceFolder, trusted: Trusted
) -> tuple[MonthGone, ...]:
    """What the ``archived`` leaves among these rows (position, leaf) say, where a head proves them.

    A leaf speaks of positions before its own only, and of as many as it counts.
    """
    said = (
        _said(row["leaf"], row["position"])
        for row in rows
        if row["position"] < trusted.size
        and folder.hashes(row["position"], row["position"] + 1) == leaf_hash(row["leaf"].encode())
    )
    return tuple(dict.fromkeys(each for each in said if each is not None))


def _said(text: str, position: int) -> MonthGone | None:
    try:
        leaf = json.loads(text)
        if leaf["kind"] != "archived" or not _MONTH.fullmatch(leaf["month"]):
            return None
        spans = tuple((begin, end) for begin, end in leaf["positions"])
        gone = MonthGone(str(leaf["month"]), str(leaf["sha256"]), spans)
        whole = sum(end - begin for begin, end in spans) == leaf["leaves"] and _rise(spans, position)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return gone if whole else None


def _rise(spans: tuple[tuple[int, int], ...], position: int) -> bool:
    """Whether one lies behind the other, and all before ``position``."""
    behind = 0
    for begin, end in spans:
        if not behind <= begin < end <= position:
            return False
        behind = end
    return True
