"""The business clock: set from outside, the machine's own time until then; a restart keeps it."""

import json
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

BUSINESS_ZONE = timezone(timedelta(hours=8))


@dataclass(slots=True)
class BusinessClock:
    """Business now = anchor_business + (machine now - anchor_machine) * rate; rate 0 stands still."""

    anchor_machine: float = 0.0
    anchor_business: float = 0.0
    rate: float = 1.0
    path: Path | None = None

    @classmethod
    def kept_in(cls, path: Path) -> "BusinessClock":
        """The clock as it was last set, or one that shows the machine's time.

        Without this a simulator that starts again would show all its world at once.
        """
        clock = cls(path=path)
        if path.exists():
            anchors = json.loads(path.read_bytes())
            clock.anchor_machine = anchors["anchor_machine"]
            clock.anchor_business = anchors["anchor_business"]
            clock.rate = anchors["rate"]
        return clock

    def set(self, *, anchor_machine: datetime, anchor_business: datetime, rate: float) -> None:
        """From now on the clock runs by these anchors."""
        self.anchor_machine = anchor_machine.timestamp()
        self.anchor_business = anchor_business.timestamp()
        self.rate = rate
        if self.path is not None:
            anchors = {"anchor_machine": self.anchor_machine, "anchor_business": self.anchor_business}
            beside = self.path.with_suffix(".new")
            beside.write_text(json.dumps(anchors | {"rate": rate}))
            beside.replace(self.path)

    def timestamp(self) -> float:
        """Business now, in seconds since the epoch."""
        return self.anchor_business + (time.time() - self.anchor_machine) * self.rate

    def now(self) -> datetime:
        """Business now, at +08:00."""
        return datetime.fromtimestamp(self.timestamp(), BUSINESS_ZONE)

    def today(self) -> date:
        """The business day, Asia/Shanghai."""
        return self.now().date()


def written(moment: datetime) -> str:
    """RFC 3339 with offset, to the millisecond."""
    return moment.astimezone(BUSINESS_ZONE).isoformat(timespec="milliseconds")


def machine_now() -> str:
    """Machine time as written on the wire, for ledgers."""
    return written(datetime.now(UTC))


def moment(text: str) -> datetime:
    """The aware moment in RFC 3339.

    Raises:
        ValueError: no date and time, or no offset.
    """
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("a time without an offset")
    return found
