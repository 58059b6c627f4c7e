"""A step that keeps failing stands in front of a person, not only in the log.

One failure is no news: its turn comes again. Nor is one success the end: a step that breaks at one batch
does others in between. So failures are counted over a while, and the matter is closed once its count stood
still for a while in which the step did its work.
"""

import time
from collections import deque

from models.domain.workdays import Calendar
from models.ledger.connection import Ledger
from models.ledger.queries import clock, quarantine
from tasks.in_front import OPERATIONS_DESK, due_at

FAILING = "step_failing"
_FAILURES = 3
_WITHIN_S = 600.0
_QUIET_S = 300.0


class Failing:
    """What this process sees fail and work. The count of an incident is all processes' together."""

    def __init__(self, *, quiet_s: float = _QUIET_S) -> None:
        self._quiet_s = quiet_s
        self._failures: dict[str, deque[float]] = {}
        self._shown: set[str] = set()
        self._worked: set[str] = set()
        self._seen: dict[str, int] = {}
        self._looks_at = float("-inf")

    async def failed(self, ledger: Ledger, calendar: Calendar, step: str, name: str, said: str) -> None:
        """Count it; an incident stands open from the third within ten minutes. ``said`` names no person.

        Raises:
            LedgerUnavailable: there is nowhere to say it.
        """
        now = time.monotonic()
        self._worked.discard(step)
        lately = self._failures.setdefault(step, deque(maxlen=_FAILURES))
        lately.append(now)
        if len(lately) < _FAILURES or now - lately[0] > _WITHIN_S:
            return
        async with ledger.writing() as conn:
            business = await clock.business_now(conn)
            incident = quarantine.NewIncident(
                kind=FAILING,
                key=step,
                count=1 if step in self._shown else len(lately),
                message=f"步骤“{name}”一再出错（{said}），它的这部分工作停着，其余照常；"
                f"请查日志 step.failed（{step}），排除后本单自行关闭",
                owner=OPERATIONS_DESK,
                since=business,
                due_at=due_at(calendar, business),
            )
            await quarantine.open_incidents(conn, [incident])
        self._shown.add(step)

    async def worked(self, ledger: Ledger, step: str) -> None:
        """It did its turn; now and then, close what nobody has counted on since the look before.

        Raises:
            LedgerUnavailable: it is looked at again with the next turn.
        """
        self._worked.add(step)
        now = time.monotonic()
        if now < self._looks_at:
            return
        async with ledger.reading() as conn:
            counts = await quarantine.open_counts(conn, FAILING)
        over = [key for key, count in counts.items() if key in self._worked and self._seen.get(key) == count]
        if over:
            async with ledger.writing() as conn:
                await quarantine.close_incidents(conn, FAILING, over)
        for key in over:
            self._failures.pop(key, None)
            self._shown.discard(key)
        self._seen = counts
        self._worked.clear()
        self._looks_at = now + self._quiet_s
