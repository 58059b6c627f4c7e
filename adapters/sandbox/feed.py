"""Feeds by cursor that behave as real ones do: pages repeat, shift and come out of order.

Positions are given when a record is first published, and a published record stands in the
feed file for good, so a cursor means the same after a restart. Seeded by the world:

* up to 3% of the records are published some business hours after their neighbours;
* a tenth of the pages begins up to five records before the cursor (a repeat);
* a fifth of the pages comes shuffled;
* of the newest records on a last page one in a hundred is missing when its place is read for
  the first time (it was committed late). It is there whenever its place is read again, so
  whoever re-reads from a cursor one page older sees everything.

The feed file lists records in the order in which a reader meets them, and also those that were
missing at first: they are owed to whoever reads as the contract says.
"""

import asyncio
import base64
import heapq
import json
import random
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from adapters.sandbox.clock import BusinessClock, machine_now, moment, written
from adapters.sandbox.ledger import Journal
from adapters.sandbox.wire import Problem

LATE_HOURS = 6
FRESH = 20

Source = Callable[[], Any]
_Due = tuple[float, int, str, Source]


class Feed:
    """One named feed over what is due by the business clock."""

    def __init__(
        self, name: str, *, journal: Journal, clock: BusinessClock, seed: str, disorder: float
    ) -> None:
        self.name = name
        self._journal = journal
        self._clock = clock
        self._seed = seed
        self._disorder = disorder
        self._published: list[bytes] = []
        self._rows: set[str] = set()
        self._due: list[_Due] = []
        self._written: asyncio.Future[None] | None = None

    def remember(self, line: dict[str, Any]) -> None:
        """Take back one line of the feed file, in the file's order."""
        self._published.append(written_record(line["record"]))
        self._rows.add(line["row"])

    def knows(self, row: str) -> bool:
        """Whether the row was published already."""
        return row in self._rows

    def plan(self, at: float, row: str, source: Source) -> None:
        """Publish what the source gives from this business time on, unless it was already."""
        if row not in self._rows:
            self._rows.add(row)
            heapq.heappush(self._due, (at, len(self._rows), row, source))

    def load(self, path: Path, *, ends: float | None) -> None:
        """Plan a world's feed file: lines `{"at", "record"}`.

        Raises:
            ValueError: a line that is not of this form, named by its number.
        """
        if not path.exists():
            return
        with path.open("rb") as file:
            for number, line in enumerate(file):
                try:
                    at = moment(json.loads(line)["at"]).timestamp()
                except (ValueError, KeyError, TypeError) as error:
                    raise ValueError(f"{path.name}:{number + 1}: 不是 at 与 record") from error
                draw = self._draw("late", number)
                if draw.random() < 0.03 * self._disorder:
                    later = at + draw.random() * LATE_HOURS * 3600
                    at = later if ends is None else max(at, min(later, ends))
                self.plan(at, f"{self.name}:{number}", _row_of(line))

    async def publish(self, records: Iterable[Any]) -> int:
        """Publish these records now, behind what is published or due; how many there are then.

        Raises:
            Problem: not-processed, when the feed file cannot be written.
        """
        for record in records:
            self.plan(self._clock.timestamp(), f"{self.name}+{len(self._rows)}", partial(_itself, record))
        await self._publish(len(self._published) + len(self._due))
        return len(self._published)

    async def page(self, cursor: str, limit: int) -> bytes:
        """The answer's body.

        Raises:
            Problem: malformed, for a cursor this feed never gave; not-processed when the
                feed file cannot be written.
        """
        start = self._position(cursor)
        draw = self._draw("page", start, limit)
        first = start
        if limit > FRESH and draw.random() < 0.1 * self._disorder:
            first = max(0, start - draw.randint(1, 5))
        missing = await self._publish(first + limit)
        end = min(first + limit, len(self._published))
        more = len(self._published) > end or self._is_due()
        items = b",".join(self._published[first : end - missing])
        tail = json.dumps({"next_cursor": self._cursor(end), "has_more": more}, separators=(",", ":"))
        return b'{"items":[' + items + b"]," + tail[1:].encode()

    async def _publish(self, until: int) -> int:
        """Give places to what is due, up to this place; how many of the last are missing at first."""
        now = self._clock.timestamp()
        taken: list[_Due] = []
        while len(self._published) + len(taken) < until and self._due and self._due[0][0] <= now:
            taken.append(heapq.heappop(self._due))
        missing = self._disarrange(taken)
        lines = []
        for entry in taken:
            record = written_record(entry[3]())
            self._published.append(record)
            head = {"feed": self.name, "published_at": written(self._clock.now()), "row": entry[2]}
            head["machine_at"] = machine_now()
            text = json.dumps(head, ensure_ascii=False, separators=(",", ":"))
            lines.append(text[:-1].encode() + b',"record":' + record + b"}")
        if lines:
            self._written = self._journal.append(lines)
        if self._written is None:
            return 0
        try:
            # another reader's page may wait for the same lines
            await asyncio.shield(self._written)
        except OSError:
            self._written = None
            del self._published[len(self._published) - len(taken) :]
            for entry in taken:
                heapq.heappush(self._due, entry)
            raise Problem("not-processed", "供数文件无法写入") from None
        return missing

    def _disarrange(self, taken: list[_Due]) -> int:
        """Put the page's new records into the order they come in; how many at the end are missing."""
        draw = self._draw("order", len(self._published))
        if draw.random() < 0.2 * self._disorder:
            draw.shuffle(taken)
        if self._is_due():
            return 0
        newest = taken[-FRESH:]
        late = [entry for entry in newest if draw.random() < 0.01 * self._disorder]
        if late:
            taken[-FRESH:] = [entry for entry in newest if entry not in late] + late
        return len(late)

    def _is_due(self) -> bool:
        return bool(self._due) and self._due[0][0] <= self._clock.timestamp()

    def _draw(self, *what: Any) -> random.Random:
        return random.Random(f"{self._seed}|{self.name}|{what}")

    def _cursor(self, position: int) -> str:
        return base64.urlsafe_b64encode(f"{self.name}:{position}".encode()).decode().rstrip("=")

    def _position(self, cursor: str) -> int:
        if not cursor:
            return 0
        try:
            text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
            name, _, number = text.partition(":")
            position = int(number)
        except ValueError:
            name, position = "", -1
        if name != self.name or not 0 <= position <= len(self._published):
            raise Problem("malformed", "游标不是本接口给出的")
        return position


def written_record(value: Any) -> bytes:
    """The record as it travels: UTF-8, escaped only where UTF-8 cannot carry it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def limit_of(text: str, *, most: int = 500, default: int = 200) -> int:
    """The page size asked for.

    Raises:
        Problem: rule-broken, outside 1..most.
    """
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        broken = {"field": "limit", "rule": "range", "message": f"应为 1–{most}"}
        raise Problem("rule-broken", "分页大小不合规则", errors=[broken])
    return int(text)


def restore(lines: Iterable[dict[str, Any]], feeds: dict[str, Feed]) -> None:
    """Give every feed back what its file says was published."""
    for line in lines:
        feeds[line["feed"]].remember(line)


def _itself(record: Any) -> Any:
    return record


def _row_of(line: bytes) -> Source:
    return lambda: json.loads(line)["record"]
