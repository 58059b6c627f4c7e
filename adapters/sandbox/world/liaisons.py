"""Who hears of a push: main and backup liaisons of every section, and the gaps real rosters have."""

import random
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from adapters.sandbox.world import identity
from adapters.sandbox.world.city import Target, WorldCity
from adapters.sandbox.world.timeline import BEGINS

_BACKUPS = 0.4
_FROM = "2025-01-01"
Seat = tuple[str, str]  # department, section


def liaisons(seed: str, city: WorldCity, targets: Iterable[Target]) -> list[dict[str, Any]]:
    """A main liaison for every section, a backup for many.

    Among the sections that really hear of something: one without any phone, one whose main has
    none but whose backup does, one person for two departments, one whose old liaison expired.
    """
    draw = random.Random(f"{seed}|liaisons")
    busy = Counter((target.department, target.section) for target in targets)
    odd = _odd_seats([seat for seat, _ in sorted(busy.items(), key=lambda pair: (-pair[1], pair[0]))])
    roster: list[dict[str, Any]] = []
    shared: dict[str, Any] | None = None
    for department in city.departments.values():
        for section in department["section"]:
            seat = (department["code"], section["id"])
            trait = odd.get(seat, "")
            main = _person(len(roster), seat, identity.person_name(draw), 1)
            backup = draw.random() < _BACKUPS
            name = identity.person_name(draw)
            if trait in {"no_phone", "backup_only"}:
                main["phone"] = None
            if trait == "shared":
                if shared:
                    main |= {"name": shared["name"], "phone": shared["phone"]}
                shared = main
            if trait == "expired":
                # Hands over while cases are under way: acceptance may reach one, completion the other.
                handover = BEGINS + timedelta(days=18)
                roster.append(_person(len(roster), seat, name, 1) | {"valid_to": handover.isoformat()})
                begins = (handover + timedelta(days=1)).isoformat()
                main = _person(len(roster), seat, main["name"], 1) | {"valid_from": begins}
            roster.append(main)
            if trait == "backup_only" or (backup and trait != "no_phone"):
                roster.append(_person(len(roster), seat, name, 2))
    return roster


def _odd_seats(seats: list[Seat]) -> dict[Seat, str]:
    """The odd traits on seats that are neither the busiest nor idle; two departments for the shared one."""
    start = min(3, max(0, len(seats) - 5))
    chosen = seats[start:]
    found: dict[Seat, str] = {}
    for trait in ("shared", "no_phone", "backup_only", "expired"):
        if chosen:
            found[chosen.pop(0)] = trait
        if trait == "shared" and found:
            first = next(iter(found))
            other = next((seat for seat in chosen if seat[0] != first[0]), None)
            if other:
                chosen.remove(other)
                found[other] = trait
    return found


def _person(serial: int, seat: Seat, name: str, rank: int) -> dict[str, Any]:
    return {
        "id": f"LL{serial + 1:04d}",
        "department": seat[0],
        "section": seat[1],
        "name": name,
        "phone": identity.mobile(serial + 1),
        "rank": rank,
        "valid_from": _FROM,
        "valid_to": None,
    }
