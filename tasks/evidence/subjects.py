"""Whose key seals what: a message about a party under the party's, everything else under nobody's."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from models.domain.party_codes import clean_code
from models.ledger.bulk import Conn
from models.ledger.queries import data_keys, inbox
from models.ledger.queries.data_keys import NO_PARTY
from models.ledger.sealing import Sealing

if TYPE_CHECKING:
    from tasks.intake import Arrival

RAW_FIELD = "inbox.raw"


def party_index(sealing: Sealing, id_number: str) -> bytes:
    """By what a party is known here: the keyed hash of its cleaned id number."""
    return sealing.index("party", clean_code(id_number))


async def sealed_rows(
    conn: Conn, sealing: Sealing, fresh: "Sequence[tuple[Arrival, inbox.NewInbox]]"
) -> list[inbox.NewInbox]:
    """The rows with their bytes sealed, and the commitment to these that their leaf carries."""
    if not fresh:
        return []
    cases = await data_keys.party_of_numbers(
        conn, [number for arrival, row in fresh if (number := _case_of(row.kind, arrival.item.value))]
    )
    subjects = [
        _named_party(sealing, arrival.item.value)
        or cases.get(_case_of(row.kind, arrival.item.value) or "", NO_PARTY)
        for arrival, row in fresh
    ]
    keys = await data_keys.of_subjects(conn, sealing, set(subjects))
    rows = []
    for (arrival, row), subject in zip(fresh, subjects, strict=True):
        raw = arrival.item.raw
        envelope = sealing.seal_for(keys[subject], RAW_FIELD, row.id, raw)
        committed = sealing.commitment(RAW_FIELD, row.id, envelope, raw)
        rows.append(replace(row, raw_sealed=envelope, commitment=committed))
    return rows


async def keys_of(
    conn: Conn, sealing: Sealing, effects: Sequence[tuple[UUID | None, bytes | None]]
) -> list[UUID]:
    """The data key of each effect, by its case or, where it has none, by its party (an index)."""
    of_cases = await data_keys.of_cases(conn, sealing, {case for case, _ in effects if case is not None})
    others = {party or NO_PARTY for case, party in effects if case is None or case not in of_cases}
    of_others = await data_keys.of_subjects(conn, sealing, others)
    return [
        of_cases[case] if case is not None and case in of_cases else of_others[party or NO_PARTY]
        for case, party in effects
    ]


def id_number_in(raw: bytes) -> str | None:
    """The cleaned id number of the party a record names."""
    try:
        number = _number(json.loads(raw))
    except ValueError:
        return None
    return number and clean_code(number)


def _named_party(sealing: Sealing, value: Any) -> bytes | None:
    number = _number(value)
    return party_index(sealing, number) if number else None


def _number(value: Any) -> str | None:
    party = value.get("party") if isinstance(value, dict) else None
    number = party.get("id_number") if isinstance(party, dict) else None
    return number if isinstance(number, str) and number else None


def _case_of(kind: str, value: Any) -> str | None:
    """The case a supervision result names, whose party it is about."""
    number = value.get("case_no") if kind == "feedback" and isinstance(value, dict) else None
    return number if isinstance(number, str) else None
