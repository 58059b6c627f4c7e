"""Ways to turn a made world: taking effects out, there or here."""

from typing import Any

from made_world import World


def drop(book: list[dict[str, Any]], key: str, version: int | None = None) -> list[dict[str, Any]]:
    """Takes every line of this business key out, and gives them back."""
    taken = [line for line in book if str(line.get("business_key", "")).startswith(key)]
    taken = [line for line in taken if version in (None, line["content_version"])]
    assert taken, f"nothing under {key}"
    book[:] = [line for line in book if line not in taken]
    return taken


def unsaid(world: World, taken: list[dict[str, Any]]) -> None:
    """Our statement does not know of these effects either, nor of their news."""
    gone = {line["own_id"] for line in taken}
    world.said[:] = [
        row for row in world.said if row.get("own_id") not in gone and row.get("push_own_id") not in gone
    ]


def row_of(world: World, own_id: str) -> dict[str, Any]:
    return next(row for row in world.said if row["kind"] == "effect" and row["own_id"] == own_id)
