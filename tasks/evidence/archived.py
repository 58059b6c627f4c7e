"""Months of evidence that lie in files, read between what lies in the ledger."""

import hashlib
import heapq
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

from models.evidence.archived import MonthGone
from models.evidence.audit import Finding
from models.ledger.months import named
from models.ledger.packing import unpacked

_ROWS = 10_000
_Rows = list[dict[str, Any]]


@dataclass(slots=True)
class ArchivedFiles:
    """What is archived: ``elsewhere`` are positions (from, up to but without) that nobody looks at here.

    ``months`` (202307) have a sealed leaf that says so.
    """

    months: list[int] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    elsewhere: list[tuple[int, int]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    read: int = 0

    async def merged(self, placed: AsyncIterable[_Rows]) -> AsyncIterator[_Rows]:
        """The rows of ledger and files in the order of their positions, some thousand at a time."""
        filed = heapq.merge(*map(_rows, self.files), key=itemgetter("position"))
        one = next(filed, None)
        together: _Rows = []
        async for rows in placed:
            for row in rows:
                while one is not None and one["position"] < row["position"]:
                    together.append(one)
                    self.read += 1
                    one = next(filed, None)
                    if len(together) >= _ROWS:
                        yield together
                        together = []
                together.append(row)
            yield together
            together = []
        while one is not None:
            together.append(one)
            self.read += 1
            one = next(filed, None)
            if len(together) >= _ROWS or one is None:
                yield together
                together = []


def archived_files(
    gone: Sequence[MonthGone], listed: Sequence[Mapping[str, Any]], folder: Path | None
) -> ArchivedFiles:
    """The files of these months below ``folder``; a month whose file is not the one written is a finding.

    So is a month that the ledger lists (month, positions, sha256) and no sealed leaf speaks of.
    """
    found = ArchivedFiles(months=[int(each.month.replace("-", "")) for each in gone])
    for each in gone:
        file = folder and folder / f"evidence-{each.month}.jsonl.gz"
        wrong = _wrong(file, each.sha256) if file else None
        if file and not wrong:
            found.files.append(file)
            continue
        found.elsewhere += each.spans
        if wrong:
            said = f"{each.month} 的归档文件 {file} {wrong}"
            found.findings.append(Finding("archive", said, each.spans[0][0] if each.spans else None))
    for month in listed:
        spans = tuple((span.lower, span.upper) for span in month["positions"])
        if MonthGone(named(month["month"]), month["sha256"], spans) not in gone:
            said = (
                f"台账称 {named(month['month'])} 的留痕已归档，却没有签名头下的留痕为证"
                "（刚归档的，请待下一个签名头写出后再核验）"
            )
            found.findings.append(Finding("archive", said, spans[0][0] if spans else None))
    return found


def _wrong(file: Path, sha256: str) -> str | None:
    digest = hashlib.sha256()
    try:
        with file.open("rb") as content:
            while block := content.read(1 << 20):
                digest.update(block)
    except OSError as unreadable:
        return f"无法读取（{unreadable.strerror}）"
    return None if digest.hexdigest() == sha256 else "与归档时的校验和不符"


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    for row in unpacked(file):
        yield row | {"leaf_hash": bytes.fromhex(row["leaf_hash"])}
