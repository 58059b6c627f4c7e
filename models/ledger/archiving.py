"""A month of the ledger put into files and, where a person says so, taken out of it.

One transaction: nobody writes to the month while it is read, and it is dropped only when its files are on the
disk. A leaf of evidence says which month went, with which digest.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import sql

from models.domain.errors import ShenguanError
from models.ledger.months import Conn, named, partition
from models.ledger.packing import packed
from models.ledger.tables.months import A_MONTH, ARCHIVED, KINDS

KEEP = 36
"""Months that stay in the ledger at least, unless a person says otherwise."""
_ROWS: Mapping[str, str] = {
    "history": "SELECT row_to_json(h)::text FROM {history} h ORDER BY id",
    "attempts": "SELECT row_to_json(a)::text FROM {effect_attempts} a ORDER BY leaf, own_id, attempt",
    "evidence": "SELECT row_to_json(e)::text FROM (SELECT p.position, l.number, encode(p.leaf_hash, 'hex')"
    " AS leaf_hash, l.leaf FROM {evidence_leaves} l LEFT JOIN {evidence_positions} p ON p.leaf = l.number"
    " ORDER BY p.position, l.number) e",
}
_HINDRANCES: Mapping[str, str] = {
    "{n} 条留痕尚未封存": "SELECT count(*) FROM {evidence_leaves} l"
    " WHERE NOT EXISTS (SELECT FROM {evidence_positions} p WHERE p.leaf = l.number)",
    "{n} 件办件尚未闭环": "SELECT count(DISTINCT c.id) FROM {history} h JOIN cases c ON c.id = h.case_id"
    " WHERE c.state NOT IN ('settled', 'voided')",
    "{n} 项动作尚未了结": "SELECT count(DISTINCT e.own_id)"
    " FROM {effect_attempts} a JOIN effects e USING (own_id) WHERE a.finished_at IS NULL"
    " OR e.state IN ('planned', 'leased', 'intent', 'unknown')"
    " OR e.state IN ('held', 'refused') AND e.decided_at IS NULL",
    "{n} 件办件的经过尚未写到运行页": "SELECT count(DISTINCT m.case_id) FROM {history} h"
    " JOIN mirror m ON m.case_id = h.case_id WHERE m.told_due IS NOT NULL",
}
_LEAF = """
INSERT INTO evidence_leaves (leaf) SELECT '{"v":1,"kind":"archived","own_id":'
    || to_json(%(own_id)s::text)::text || ',"month":' || to_json(%(month)s::text)::text
    || ',"leaves":' || %(leaves)s::bigint || ',"positions":' || coalesce((
        SELECT json_agg(json_build_array(lower(span), upper(span)) ORDER BY span)
        FROM unnest(%(positions)s::int8multirange) span)::text, '[]')
    || ',"sha256":' || to_json(%(sha256)s::text)::text
    || ',"at":"' || to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '"}'
"""
# Which months went must be said by a leaf that is still here: this month's are written again.
_SAID_AGAIN = """
INSERT INTO evidence_leaves (leaf) SELECT regexp_replace(leaf, '"at":"[^"]*"', '"at":"'
    || to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '"')
FROM {} WHERE starts_with(leaf, %s) ORDER BY number
"""


class CannotArchive(ShenguanError):  # noqa: N818 - named as the finding it is
    """The month stays where it is; ``why`` is Chinese."""

    def __init__(self, month: str, why: str) -> None:
        super().__init__(month, why)
        self.month = month
        self.why = why

    def __str__(self) -> str:
        return f"{self.month} 不能归档：{self.why}"


@dataclass(frozen=True, slots=True)
class Archived:
    """One kind of one month in its file; ``dropped`` says whether it has left the ledger."""

    month: str
    kind: str
    rows: int
    file: str
    sha256: str
    dropped: bool


def archive(conn: Conn, month: int, folder: Path, *, drop: bool, keep: int = KEEP) -> tuple[Archived, ...]:
    """Write the month's files below ``folder``; with ``drop`` take the month out of the ledger.

    In the transaction of the caller, who owns the tables.

    Raises:
        CannotArchive: no such month, or not to be dropped yet; nothing is changed.
        OSError: the files cannot be written; nothing is changed.
        psycopg.Error: PostgreSQL said no; nothing is changed.
    """
    conn.execute("SET LOCAL lock_timeout = '10s'")
    parts = {name: sql.Identifier(partition(name, month)) for tables in KINDS.values() for name in tables}
    for name in parts:
        if not _value(conn, sql.SQL("SELECT to_regclass({}) IS NOT NULL").format(partition(name, month))):
            raise CannotArchive(named(month), "台账中没有这个月，或已经归档")
    conn.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(sql.SQL(", ").join(parts.values())))
    if drop and (why := list(_hindrances(conn, month, parts, keep))):
        raise CannotArchive(named(month), "；".join(why))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    done = [_write(conn, kind, month, parts, folder, dropped=drop) for kind in KINDS]
    if drop:
        for each in done:
            _take_out(conn, each, month, parts)
    return tuple(done)


def _hindrances(conn: Conn, month: int, parts: Mapping[str, sql.Identifier], keep: int) -> Iterator[str]:
    now = _value(conn, sql.SQL("SELECT month_floor(clock_timestamp()) / {}").format(A_MONTH))
    age = (now // 100 - month // 100) * 12 + now % 100 - month % 100
    if age < max(1, keep):
        yield f"不满 {keep} 个月" if age > 0 else "这个月还没有结束"
    for said, statement in _HINDRANCES.items():
        count = _value(conn, sql.SQL(statement).format(**parts))
        if count:
            yield said.format(n=count)


def _write(
    conn: Conn, kind: str, month: int, parts: Mapping[str, sql.Identifier], folder: Path, *, dropped: bool
) -> Archived:
    """The file of one kind: lines of JSON, packed, for its owner's eyes; and its digest beside it."""
    file = folder / f"{kind}-{named(month)}.jsonl.gz"
    if file.exists():
        raise CannotArchive(named(month), f"{file} 已存在，从不覆盖")
    making = file.with_suffix(".part")
    with conn.cursor(name="archive") as cursor:
        cursor.itersize = 5000
        cursor.execute(sql.SQL(_ROWS[kind]).format(**parts))
        rows = packed(making, (line for (line,) in cursor))
    digest = hashlib.sha256()
    with making.open("rb") as written:
        while block := written.read(1 << 20):
            digest.update(block)
    sha256 = digest.hexdigest()
    beside = file.with_suffix(".gz.sha256")
    beside.write_text(f"{sha256}  {file.name}\n", encoding="ascii")
    making.rename(file)
    folder_fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(folder_fd)
    finally:
        os.close(folder_fd)
    return Archived(named(month), kind, rows, str(file), sha256, dropped)


def _take_out(conn: Conn, done: Archived, month: int, parts: Mapping[str, sql.Identifier]) -> None:
    tables = KINDS[done.kind]
    count = _value(conn, sql.SQL("SELECT count(*) FROM {}").format(parts[tables[0]]))
    if count != done.rows:
        raise CannotArchive(done.month, f"{done.file} 有 {done.rows} 行，台账有 {count} 行")
    positions: Any = "{}"
    if done.kind == "evidence":
        positions = _value(
            conn,
            sql.SQL(
                "SELECT coalesce(range_agg(int8range(position, position, '[]')), '{{}}')::text FROM {}"
            ).format(parts["evidence_positions"]),
        )
        conn.execute(
            _LEAF,
            {
                "own_id": f"evidence-{done.month}",
                "month": done.month,
                "leaves": done.rows,
                "positions": positions,
                "sha256": done.sha256,
            },
        )
        conn.execute(sql.SQL(_SAID_AGAIN).format(parts["evidence_leaves"]), (ARCHIVED,))
    conn.execute(
        "INSERT INTO archived_months (month, kind, rows, positions, file, sha256)"
        " VALUES (%s, %s, %s, %s::int8multirange, %s, %s)",
        (month, done.kind, done.rows, positions, Path(done.file).name, done.sha256),
    )
    for table in tables:
        conn.execute(sql.SQL("DROP TABLE {}").format(parts[table]))


def _value(conn: Conn, statement: sql.Composed) -> Any:
    row = conn.execute(statement).fetchone()
    assert row is not None
    return row[0]
