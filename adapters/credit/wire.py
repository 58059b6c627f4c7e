"""The credit system's answers, read strictly, each row for itself."""

from datetime import date
from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from adapters.problems import named_fields
from adapters.receipts import Moment, ReceiptWire, Sha256, Wire, Word
from adapters.strict_json import says_nul
from adapters.values import Arrival, CreditMark, CreditMeasure, PartyCredit, ReportAnswer

W = TypeVar("W", bound=BaseModel)


class ResultsWire(Wire):
    """Rows that are read one by one, so that a broken one spoils only itself."""

    results: Annotated[list[Any], Field(max_length=1000)]


RESULTS = TypeAdapter(ResultsWire)


class MeasureWire(Wire):
    """One measure of a record."""

    code: str
    basis: str


class MarkWire(Wire):
    """One record about a party."""

    record_no: Word
    category: str
    measures: Annotated[list[MeasureWire], Field(max_length=100)]
    valid_from: Annotated[date | None, Field(alias="from")] = None
    valid_to: Annotated[date | None, Field(alias="to")] = None


class PartyWire(Wire):
    """The answer about one party."""

    ref: Word
    number: Word
    checked_at: Moment
    grade: Literal["good", "ordinary", "bad"]
    records: Annotated[list[MarkWire], Field(max_length=1000)]

    def credit(self) -> PartyCredit:
        """As our value."""
        marks = tuple(
            CreditMark(
                mark.record_no,
                mark.category,
                tuple(CreditMeasure(measure.code, measure.basis) for measure in mark.measures),
                mark.valid_from,
                mark.valid_to,
            )
            for mark in self.records
        )
        return PartyCredit(self.ref, self.number, self.checked_at, self.grade, marks)


class ArrivalWire(Wire):
    """The answer about one document."""

    ref: Word
    arrived_at: Moment | None

    def arrival(self) -> Arrival:
        """As our value."""
        return Arrival(self.ref, self.arrived_at)


class ReportWire(Wire):
    """The answer about one report."""

    own_id: Word
    code: Literal["accepted", "duplicate", "refused"]
    receipt: ReceiptWire | None = None
    stored_sha256: Sha256 | None = None
    errors: list[Any] | None = None

    def answer(self, ours: str) -> ReportAnswer:
        """As our value; ``ours`` is the content hash we sent."""
        receipt = self.receipt.receipt(ours, repeated=self.code == "duplicate") if self.receipt else None
        if self.code == "refused":
            return ReportAnswer(self.own_id, "refused", fields=named_fields(self.errors))
        if self.stored_sha256 is not None and self.stored_sha256 != ours:
            # Their number belongs to the other content: it is no receipt for ours.
            return ReportAnswer(self.own_id, "duplicate", stored_sha256=self.stored_sha256)
        if self.code == "duplicate":
            return ReportAnswer(self.own_id, "duplicate", receipt, self.stored_sha256)
        if receipt is None:
            return ReportAnswer(self.own_id, "unknown", reason="accepted without a receipt")
        return ReportAnswer(self.own_id, "accepted", receipt, self.stored_sha256)


def read_row(row: Any, shape: type[W]) -> W | None:
    """The row in this shape; None when it has another, or says U+0000."""
    raw = orjson.dumps(row)
    if says_nul(raw):
        return None
    try:
        return shape.model_validate_json(raw, strict=True)
    except ValidationError:
        return None
