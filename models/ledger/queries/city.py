"""Who is who, as the ledger keeps it: departments, sections, liaisons, versions of the item list."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from models.domain.errors import ListNotTaken
from models.ledger.bulk import Conn, insert
from models.ledger.tables.city import CatalogItem, Department, Liaison, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class DepartmentRow:
    """A department as the city's files have it."""

    code: str
    name: str
    level: str
    region: str
    unit: str
    role: str
    successor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionRow:
    """A section; its id is ``<department>/<section>``."""

    id: str
    department_code: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiaisonRow:
    """A liaison in office from a day on; name and phone sealed."""

    id: UUID
    number: str
    department_code: str
    section_id: str
    rank: int
    name_sealed: bytes
    phone_sealed: bytes | None
    phone_index: bytes | None
    valid_from: date
    valid_to: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRow:
    """An approval item of one version of the list."""

    version: str
    code: str
    body: dict[str, Any]


async def store_departments(
    conn: Conn, rows: Sequence[DepartmentRow], sections: Sequence[SectionRow]
) -> None:
    """Bring departments and sections up to the city's files."""
    await insert(
        conn,
        Department,
        rows,
        conflict="(code) DO UPDATE SET name = EXCLUDED.name, level = EXCLUDED.level,"
        " region = EXCLUDED.region, unit = EXCLUDED.unit, role = EXCLUDED.role,"
        " successor = EXCLUDED.successor",
    )
    await insert(conn, Section, sections, conflict="(id) DO UPDATE SET name = EXCLUDED.name")


async def store_catalog(conn: Conn, version: str, sha256: str, items: Iterable[ItemRow]) -> bool:
    """Keep a version of the list; False where this version is there already with the same hash.

    Raises:
        ListNotTaken: the version is there with other content. A published list does not change.
    """
    cursor = await conn.execute(
        "INSERT INTO catalog_versions (version, sha256) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        (version, sha256),
    )
    if cursor.rowcount == 0:
        cursor = await conn.execute("SELECT sha256 FROM catalog_versions WHERE version = %s", (version,))
        row = await cursor.fetchone()
        if row is None or row["sha256"] != sha256:
            raise ListNotTaken(version, "已存在且内容不同，请更改版本号")
        return False
    await insert(conn, CatalogItem, list(items))
    return True


async def catalog_that_followed(conn: Conn, version: str) -> str | None:
    """The newest version of the list, where this one is there already and is not the newest; else None."""
    cursor = await conn.execute(
        "SELECT newest.version FROM catalog_versions own CROSS JOIN LATERAL (SELECT version, loaded_at"
        " FROM catalog_versions ORDER BY loaded_at DESC, version DESC LIMIT 1) newest"
        " WHERE own.version = %s AND newest.version <> own.version AND newest.loaded_at > own.loaded_at",
        (version,),
    )
    row = await cursor.fetchone()
    return row["version"] if row else None


async def items(conn: Conn, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
    """The items of these (version, code), as their version of the list had them."""
    cursor = await conn.execute(
        "SELECT version, code, body FROM catalog_items"
        " WHERE (version, code) IN (SELECT * FROM unnest(%s::text[], %s::text[]))",
        ([version for version, _ in keys], [code for _, code in keys]),
    )
    return {(row["version"], row["code"]): row["body"] for row in await cursor.fetchall()}


async def store_liaisons(conn: Conn, rows: Sequence[LiaisonRow]) -> None:
    """Bring the liaisons up to date; a changed phone or end of office replaces the earlier one."""
    await insert(
        conn,
        Liaison,
        rows,
        conflict="(section_id, rank, valid_from) DO UPDATE SET number = EXCLUDED.number,"
        " name_sealed = EXCLUDED.name_sealed,"
        " phone_sealed = EXCLUDED.phone_sealed, phone_index = EXCLUDED.phone_index,"
        " valid_to = EXCLUDED.valid_to",
    )


async def end_terms(conn: Conn, named: Sequence[UUID], today: date) -> int:
    """End, with yesterday, the terms of all liaisons in office now or later but these; how many ended."""
    cursor = await conn.execute(
        "UPDATE liaisons SET valid_to = %(yesterday)s WHERE NOT id = ANY(%(named)s::uuid[])"
        " AND (valid_to IS NULL OR valid_to > %(yesterday)s)",
        {"yesterday": today - timedelta(days=1), "named": list(named)},
    )
    return cursor.rowcount
