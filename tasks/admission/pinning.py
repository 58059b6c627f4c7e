"""The item list as each case pinned it: duties and scope stay those of its version."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from config.city import CatalogItem, City, Document, Duty
from models.ledger.bulk import Conn
from models.ledger.queries import city as city_queries

Pin = tuple[str, str]
"""(version of the list, item code)"""


async def pinned_items(conn: Conn, city: City, pins: Iterable[Pin]) -> dict[Pin, CatalogItem]:
    """The items as these versions of the list had them."""
    wanted = set(pins)
    found: dict[Pin, CatalogItem] = {}
    for version, code in wanted:
        item = city.item(code) if version == city.catalog.version else None
        if item is not None:
            found[version, code] = item
    older = sorted(wanted - found.keys())
    if older:
        bodies = await city_queries.items(conn, older)
        found |= {pin: _from_body(body) for pin, body in bodies.items()}
    return found


def _from_body(body: dict[str, Any]) -> CatalogItem:
    fields = body | {
        "go_live_at": datetime.fromisoformat(body["go_live_at"]),
        "stages": tuple(body["stages"]),
        "scope": tuple(body["scope"]),
        "members": tuple(body["members"]),
        "document": Document(**body["document"]),
        "duties": tuple(Duty(**duty) for duty in body["duties"]),
    }
    return CatalogItem(**fields)
