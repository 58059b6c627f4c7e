"""The business clock of a run, the same for the simulators and for our side."""

from dataclasses import dataclass
from datetime import UTC, datetime

from adapters.stack.ready import ask


@dataclass(frozen=True, slots=True)
class Clock:
    """Stands still wherever it is put; ``urls`` are the simulators', ``control`` their password."""

    urls: tuple[str, ...]
    control: str

    def set(self, business: datetime) -> None:
        """It is ``business`` for every simulator."""
        body = {
            "anchor_machine": datetime.now(UTC).isoformat(),
            "anchor_business": business.isoformat(),
            "rate": 0,
        }
        for url in self.urls:
            ask(f"{url}/_sim/clock", body=body, headers={"X-Sim-Control": self.control})
