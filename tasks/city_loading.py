"""Bring the city's files into the ledger: departments, sections, the item list's version, liaisons."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from config.city import City
from models.domain.errors import ListNotTaken
from models.domain.keys import row_id
from models.domain.workdays import business_day
from models.ledger.connection import Ledger
from models.ledger.queries import city as queries
from models.ledger.queries import clock, inbox, quarantine
from models.ledger.sealing import Sealing
from tasks.texting import PHONE_FIELD

NAME_FIELD = "liaisons.name"


async def load_city_into(
    ledger: Ledger, sealing: Sealing, city: City, liaisons: Sequence[dict[str, Any]] | None
) -> int:
    """Store the city; records parked for an item that is known now wait again. Returns how many do.

    Each liaison is ``{id, department, section, rank, name, phone|null, valid_from, valid_to}``. They are
    the whole roster: whoever is in office and no longer named ended yesterday. None leaves the
    liaisons as they are.

    Raises:
        ListNotTaken: a published version of the item list was changed without a new version, or a newer
            version was loaded after it: an older list must not come back under its old name.
        KeyError: a liaison lacks a field.
    """
    departments = [
        queries.DepartmentRow(
            code=each.code,
            name=each.name,
            level=each.level,
            region=each.region,
            unit=each.unit,
            role=each.role,
            successor=each.successor or None,
        )
        for each in city.departments.values()
    ]
    sections = [
        queries.SectionRow(id=f"{each.code}/{section.id}", department_code=each.code, name=section.name)
        for each in city.departments.values()
        for section in each.sections
    ]
    items = [
        queries.ItemRow(version=city.catalog.version, code=item.code, body=item.body())
        for item in city.catalog.items.values()
    ]
    rows = [_liaison(sealing, each) for each in liaisons or ()]
    async with ledger.writing() as conn:
        if newer := await queries.catalog_that_followed(conn, city.catalog.version):
            why = f"之后已装入 {newer}；要改回去，请以新的版本号发布"
            raise ListNotTaken(city.catalog.version, why)
        await queries.store_departments(conn, departments, sections)
        await queries.store_catalog(conn, city.catalog.version, city.catalog.sha256, items)
        if liaisons is not None:
            await queries.store_liaisons(conn, rows)
            today = business_day(await clock.business_now(conn))
            await queries.end_terms(conn, [row.id for row in rows], today)
        parked = await inbox.parked_reasons(conn)
        known = [
            code for code in (reason.removeprefix("item:") for reason in parked) if _is_listed(city, code)
        ]
        await quarantine.close_incidents(conn, "unknown_item", known)
        return await inbox.reopen_parked(conn, [f"item:{code}" for code in known])


def _is_listed(city: City, code: str) -> bool:
    return city.item(code) is not None or city.is_not_applicable(code)


def _liaison(sealing: Sealing, person: dict[str, Any]) -> queries.LiaisonRow:
    section = f"{person['department']}/{person['section'].rpartition('/')[2]}"
    identity = row_id("liaison", section, str(person["rank"]), person["valid_from"])
    phone = person["phone"]
    return queries.LiaisonRow(
        id=identity,
        number=person["id"],
        department_code=person["department"],
        section_id=section,
        rank=person["rank"],
        name_sealed=sealing.seal(NAME_FIELD, identity, person["name"].encode()),
        phone_sealed=sealing.seal(PHONE_FIELD, identity, phone.encode()) if phone else None,
        phone_index=sealing.index("phone", phone) if phone else None,
        valid_from=date.fromisoformat(person["valid_from"]),
        valid_to=date.fromisoformat(person["valid_to"]) if person["valid_to"] else None,
    )
