"""The lines of the timeline that the outcomes of calls leave."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from models.domain.lifecycles.effect import EffectState
from models.ledger.queries.effects import Outcome
from models.ledger.writer import HistoryRow

_WORTH_TELLING = frozenset({EffectState.REFUSED, EffectState.UNKNOWN, EffectState.ACCEPTED})


def told(outcomes: Iterable[tuple[dict[str, Any], Outcome]], worker: str, now: datetime) -> list[HistoryRow]:
    """One line for each effect whose outcome people should see; what was not done goes again in silence."""
    return [
        HistoryRow(
            "effect",
            row["own_id"],
            row["case_id"],
            EffectState.INTENT.value,
            outcome.attempt_outcome,
            outcome.state.value,
            outcome.reason,
            worker,
            now,
        )
        for row, outcome in outcomes
        if outcome.state in _WORTH_TELLING
    ]
