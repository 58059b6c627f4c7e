"""What others report to the credit system: the platform, and departments from their own systems."""

import json
from datetime import datetime
from pathlib import Path

from adapters.sandbox.clock import moment


class Arrivals:
    """Reports by kind and document number, each from the moment it arrives."""

    def __init__(self, path: Path) -> None:
        self._at: dict[tuple[str, str], str] = {}
        if path.exists():
            with path.open("rb") as file:
                for line in file:
                    row = json.loads(line)
                    self.arrived(row["kind"], row["document_number"], row["at"])

    def arrived(self, kind: str, document_number: str, at: str) -> None:
        """A report of this document is there from this business moment; the first one counts."""
        self._at.setdefault((kind, document_number), at)

    def asked(self, kind: str, document_number: str, now: datetime) -> str | None:
        """When the first report of this document arrived; None while there is none."""
        at = self._at.get((kind, document_number))
        return at if at is not None and moment(at) <= now else None
