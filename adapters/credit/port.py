"""The credit system as the rest of the product knows it."""

from collections.abc import Sequence
from typing import Protocol

from adapters.values import (
    Arrival,
    ArrivalQuery,
    CountRow,
    Page,
    PartyCredit,
    PartyQuery,
    ReportAnswer,
    Stored,
)

BATCH_LIMIT = 100
"""Most parties of one query, most reports of one call."""


class Credit(Protocol):
    """Parties' credit and credit records come from here; approvals and penalties (双公示) go there.

    It de-duplicates on our own id and on (business key, content version), as the platform does. Questions
    raise NotDone, Throttled and Unreadable as in ``adapters.platform.port``.
    """

    async def query_parties(
        self, parties: Sequence[PartyQuery], *, purpose: str, legal_basis: str
    ) -> tuple[PartyCredit, ...]:
        """What is known about up to 100 parties, in the order asked.

        Each look-up is recorded there with purpose and legal basis. A party whose answer is missing,
        doubled or cannot be read is left out, and the others are not touched by it: whoever is not in
        the result was not answered.

        Raises:
            Refused: the query itself was refused, by its ``fields``.
            ValueError: more than 100 parties, none, or one ``ref`` twice.
        """
        ...

    async def report(self, reports: Sequence[tuple[str, bytes]]) -> tuple[ReportAnswer, ...]:
        """One answer for each of up to 100 reports, in the order given, whatever order they answered in.

        A report is its own id and the exact canonical bytes of its object, sent as they are. Inside an
        answer, ``unknown`` stands for a report without exactly one readable answer.

        Raises:
            NotDone, Throttled: proven that none was stored.
            Refused: the call as a whole was refused; none was stored.
            OutcomeUnknown: nothing is proven about any of them.
            ValueError: more than 100 reports, none, or one own id twice.
        """
        ...

    async def find(self, own_id: str) -> Stored | None:
        """What they hold under our own id; None only when they say, as documented, that there is nothing."""
        ...

    async def changed_records(self, cursor: str | None, *, limit: int = 200) -> Page:
        """Credit records (entries, removals, repairs) changed after the cursor, at most 500 a page."""
        ...

    async def counts(self, day: str) -> tuple[CountRow, ...]:
        """How many reports were stored on a business day (``YYYY-MM-DD``), by kind XK and CF."""
        ...

    async def effects(self, day: str, cursor: str | None, *, kind: str = "", limit: int = 500) -> Page:
        """The stored reports of ours behind a count.

        Items are own_id, kind, business_key, content_sha256.
        """
        ...

    async def arrivals(self, asked: Sequence[ArrivalQuery]) -> tuple[Arrival, ...]:
        """Whether the reports of up to 100 documents have arrived, whoever sent them, in the order asked.

        A document whose answer is missing, doubled or cannot be read is left out: it was not answered.

        Raises:
            Refused: the query itself was refused, by its ``fields``.
            ValueError: more than 100 documents, none, or one ``ref`` twice.
        """
        ...
