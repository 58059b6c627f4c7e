"""The answers about stored effects that the platform and the credit system share, read strictly."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from adapters.exchange import Exchange, escaped, stated
from adapters.strict_json import says_nul
from adapters.transport import Answer
from adapters.values import CountRow, Page, Receipt, Stored, StoredRow
from models.domain.errors import AlreadyDone, OutcomeUnknown, Unreadable

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
MOST_A_DAY = 1_000_000_000
"""More effects than that no receiver stores on a day."""

Word = Annotated[str, Field(min_length=1, max_length=128)]


class Wire(BaseModel):
    """A strict, frozen answer; fields we do not know are left unread."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


def _in_utc(at: datetime) -> datetime:
    try:
        found = at.astimezone(UTC)
    except OverflowError:
        raise ValueError("beyond the calendar") from None
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise ValueError("beyond the calendar")
    return found


_FIRST_YEAR, _LAST_YEAR = 1900, 9998
Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time with its zone, in UTC; at the edges of the calendar no other zone has it."""


class ReceiptWire(Wire):
    """``account`` is there for pushes only."""

    number: Word
    at: Moment
    account: Word | None = None

    def receipt(self, content_sha256: str, *, repeated: bool) -> Receipt:
        """As our value."""
        return Receipt(self.number, self.at, self.account, content_sha256, repeated)


class TakenWire(Wire):
    """The answer to an effect. One that names an effect must name ours: all departments share a hash."""

    own_id: Word | None = None
    receipt: ReceiptWire
    content_sha256: Sha256


class StoredWire(Wire):
    """What is stored under an own id."""

    own_id: Word
    business_key: Annotated[str, Field(min_length=1, max_length=512)]
    content_sha256: Sha256
    receipt: ReceiptWire


class CountRowWire(Wire):
    """One row of a day's count."""

    kind: Word
    department: str | None = None
    stage: str | None = None
    count: Annotated[int, Field(ge=0, le=MOST_A_DAY)]
    digest: Sha256


class StoredRowWire(Wire):
    """One stored effect of a list behind a count."""

    own_id: Word
    kind: Word
    department: str | None = None
    stage: str | None = None
    business_key: Annotated[str, Field(min_length=1, max_length=512)]
    content_sha256: Sha256


class CountsWire(Wire):
    """A day's counts."""

    day: str
    rows: Annotated[list[CountRowWire], Field(max_length=10_000)]


TAKEN = TypeAdapter(TakenWire)
STORED = TypeAdapter(StoredWire)
COUNTS = TypeAdapter(CountsWire)


async def send(exchange: Exchange, path: str, own_id: str, body: bytes) -> Receipt:
    """The receipt for one effect, whose hash is ours; see ``Exchange.effect``.

    Raises:
        AlreadyDone: they hold something else than we sent, whatever their status says.
        OutcomeUnknown: it is the answer to another effect.
    """
    ours = stated(body, own_id)
    answer = await exchange.effect(path, own_id, body)
    return _taken(exchange, answer, own_id, ours)


def _taken(exchange: Exchange, answer: Answer, own_id: str, ours: str) -> Receipt:
    taken = exchange.proven(answer, TAKEN)
    if taken.own_id not in (None, own_id):
        raise OutcomeUnknown(exchange.target, "another-own-id")
    if taken.content_sha256 != ours:
        raise AlreadyDone(exchange.target, taken.content_sha256, taken.receipt.number)
    return taken.receipt.receipt(ours, repeated=answer.status == 200)  # noqa: PLR2004


async def look_up(exchange: Exchange, path: str, own_id: str) -> Stored | None:
    """What is stored under the own id; None only when they say, as documented, that nothing is."""
    answer = await exchange.ask(f"{path}/{escaped(own_id)}")
    if answer is None:
        return None
    found = exchange.understood(answer, STORED)
    if found.own_id != own_id:
        raise exchange.astray(answer, "another-own-id")
    receipt = found.receipt.receipt(found.content_sha256, repeated=True)
    return Stored(own_id, found.business_key, found.content_sha256, receipt)


def stored_rows(page: Page, target: str) -> tuple[StoredRow, ...]:
    """The rows of a page of stored effects.

    Raises:
        Unreadable: one of them is not one; a list that is not believed whole proves nothing.
    """
    if any(says_nul(item.raw) for item in page.items):
        raise Unreadable(target, "control-character")
    try:
        rows = [StoredRowWire.model_validate(item.value) for item in page.items]
    except ValidationError:
        raise Unreadable(target, "wrong-shape") from None
    return tuple(
        StoredRow(r.own_id, r.kind, r.department, r.stage, r.business_key, r.content_sha256) for r in rows
    )


async def counted(exchange: Exchange, day: str) -> tuple[CountRow, ...]:
    """The counts of a day (``YYYY-MM-DD``)."""
    answer = await exchange.asked("/v1/counts", query={"day": day})
    counts = exchange.understood(answer, COUNTS)
    if counts.day != day:
        raise exchange.astray(answer, "another-day")
    return tuple(CountRow(r.kind, r.department, r.stage, r.count, r.digest) for r in counts.rows)
