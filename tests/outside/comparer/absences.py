"""How an owed effect that is not there is judged by what our statement says of it."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from comparer.evidence import DECIDED_STATES, WAITING_STATES, instant, owned
from comparer.findings import Findings

PATIENCE = timedelta(days=2)
"""A text waits for a night, a digest's window or a day's cap, and no longer (business time)."""


def decided(rows: Iterable[dict[str, Any]]) -> bool:
    """True when one of our rows refused or holds the effect, with an owner and a due date."""
    return any(row.get("state") in DECIDED_STATES and owned(row) for row in rows)


def missing(found: Findings, rows: list[dict[str, Any]], what: str, key: str, why: str) -> None:
    """Counts an absent effect, unless it is refused or held here in front of an owner.

    What is still on its way when the count is taken is lost, though not in silence where somebody
    owns it; what nobody knows of is both.
    """
    if decided(rows):
        return
    if any(row.get("state") in WAITING_STATES and owned(row) for row in rows):
        found.add("lost", what, key, f"{why}(我方仍记为在途)")
    else:
        found.absent(what, key, why)


def may_wait(row: dict[str, Any], sms: dict[str, Any], now: datetime | None) -> bool:
    """True when a piece of news may still wait for its text: owned, and not too old."""
    since = instant(row.get("business_at"))
    old = since is not None and now is not None and now - since > PATIENCE
    return (owned(row) or owned(sms)) and not old
