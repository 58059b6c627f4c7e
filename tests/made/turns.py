"""Ways to turn a made world: taking effects out, there or here."""

from typing import Any

from made_records import digest
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


def say_in_a_text(world: World, text: str) -> None:
    """The first text says this, there and here."""
    line = world.sms[0]
    line["content"] = {"content": text}
    line["content_sha256"] = digest(line["content"])
    row = next(row for row in world.said if row["kind"] == "effect" and row.get("receipt") == line["receipt"])
    row["content_sha256"] = line["content_sha256"]


def call_everybody(world: World, name: str) -> None:
    """Every party's legal person is called this; no push says who it is."""
    for line in world.feed:
        if isinstance(line["record"], dict) and line["record"].get("party"):
            line["record"]["party"]["legal_person"] = name
