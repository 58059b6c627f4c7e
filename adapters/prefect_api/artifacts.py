"""Pages of Prefect that are written again and again under one key, and stay one."""

from adapters.prefect_api.values import PrefectSaidNo
from adapters.prefect_api.wire import PrefectWire

_GONE = 404


async def show_page(wire: PrefectWire, key: str, *, body: str, title: str) -> str:
    """The markdown page of this key says this now; its id, the same as long as nobody deletes it.

    Prefect would keep every version of a page that is created again; one that is changed is one row.
    Raises as the wire does.
    """
    try:
        latest = await wire.get(f"/artifacts/{key}/latest")
        await wire.patch(f"/artifacts/{latest['id']}", {"data": body, "description": title})
    except PrefectSaidNo as said:
        if said.status != _GONE:
            raise
        made = {"key": key, "type": "markdown", "data": body, "description": title}
        return str((await wire.post("/artifacts/", made))["id"])
    return str(latest["id"])
