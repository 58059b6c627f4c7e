"""A case's history as people read it."""

from collections.abc import Mapping, Sequence
from typing import Any

from models.domain.messages import CHANNELS, EFFECT_KINDS, SYSTEMS, entity_name, event_name, state_name
from models.domain.reasons import reason_name
from tasks.case_told import Moment


def timeline(
    rows: Sequence[dict[str, Any]], handovers: Sequence[dict[str, Any]], effects: Sequence[dict[str, Any]]
) -> tuple[Moment, ...]:
    """The lines of a case's history, in business time, with the names of what moved."""
    names = {str(row["id"]): _place(row) for row in handovers}
    for row in effects:
        target = row["department_name"] or SYSTEMS.get(row["target"], row["target"])
        stage = EFFECT_KINDS.get(row["stage"], "")
        names[row["own_id"]] = f"{CHANNELS.get(row['channel'], row['channel'])}{stage} → {target}"
    return tuple(
        Moment(
            row["business_at"],
            _what(row, names),
            event_name(row["entity"], row["event"]),
            state_name(row["entity"], row["to_state"]),
            reason_name(row["reason"]),
            row["actor"],
        )
        for row in rows
    )


def _place(row: dict[str, Any]) -> str:
    department = row["department_name"] or row["department_code"] or "待分派"
    return f"{department}·{row['section_name']}" if row["section_name"] else department


def _what(row: dict[str, Any], names: Mapping[str, str]) -> str:
    name = names.get(row["entity_id"])
    if row["entity"] == "effect":
        return name or row["entity_id"]
    return f"{entity_name(row['entity'])}（{name}）" if name else entity_name(row["entity"])
