"""Pages of Prefect that are written again and again under one key, and stay one."""

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.prefect_api.values import PrefectSaidNo
from adapters.prefect_api.wire import PrefectWire

_GONE = 404


@dataclass(frozen=True, slots=True)
class MarkdownPage:
    """One markdown page: its key in Prefect, the title above it, and what it says."""

    key: str
    title: str
    body: str


async def show_pages(wire: PrefectWire, pages: Sequence[MarkdownPage]) -> dict[str, str]:
    """Each page says this now; key → its id, the same as long as nobody deletes it.

    Prefect would keep every version of a page that is created again; one that is changed is one row.
    Which row is the newest is asked of the collection: ``/artifacts/{key}/latest`` answers with the
    collection's own id, which is no page's as soon as two programs have both made a first one.
    Raises as the wire does.
    """
    keys = [page.key for page in pages]
    asked = {"artifacts": {"key": {"any_": keys}}, "limit": len(keys)}
    newest = {row["key"]: str(row["latest_id"]) for row in await wire.post("/artifacts/latest/filter", asked)}
    return {page.key: await _show(wire, page, newest.get(page.key)) for page in pages}


async def _show(wire: PrefectWire, page: MarkdownPage, identity: str | None) -> str:
    if identity is not None:
        try:
            await wire.patch(f"/artifacts/{identity}", {"data": page.body, "description": page.title})
        except PrefectSaidNo as said:
            if said.status != _GONE:
                raise
        else:
            return identity
    made = {"key": page.key, "type": "markdown", "data": page.body, "description": page.title}
    return str((await wire.post("/artifacts/", made))["id"])
