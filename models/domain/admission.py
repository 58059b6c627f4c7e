"""What a case's next record means for it: which events, in which order, and which stage it tells.

Source records arrive repeated and out of order; an older version never overwrites a newer one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from models.domain.bodies import Stage
from models.domain.lifecycles import after
from models.domain.lifecycles.case import TRANSITIONS, CaseEvent, CaseResult, CaseState
from models.domain.record import CaseRecord


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a case stands as far as its next record is concerned."""

    state: CaseState
    result: CaseResult | None
    data_version: int


@dataclass(frozen=True, slots=True)
class Told:
    """One record with what its source's codes mean: a result, or None while only accepted."""

    record: CaseRecord
    result: CaseResult | None


@dataclass(frozen=True, slots=True)
class Advance:
    """What a run of records does to one case.

    ``events`` are in order. ``stages`` holds, for each stage that has something to tell, the newest
    record that told it. ``stale`` are positions of records older than what was known.
    """

    standing: Standing
    events: tuple[CaseEvent, ...]
    newest: Told | None
    stages: dict[Stage, Told]
    stale: tuple[int, ...]


def advance(standing: Standing | None, told: Sequence[Told]) -> Advance:
    """Apply the records in the order of their versions; None stands for a case not seen before.

    A case that is first seen completed owes its completion only. A correction after completion is
    told under the completion stage: the acceptance is past.
    """
    events: list[CaseEvent] = []
    stages: dict[Stage, Told] = {}
    stale: list[int] = []
    newest: Told | None = None
    now = standing
    for position, each in sorted(enumerate(told), key=lambda pair: pair[1].record.data_version):
        version = each.record.data_version
        if now is not None and version <= now.data_version:
            stale.append(position)
            continue
        if now is None:
            now = Standing(CaseState.ACCEPTED, None, version)
        steps = _events(now, each)
        for event in steps:
            now = replace(now, state=after(TRANSITIONS, now.state, event))
        result = now.result if each.record.operation == "d" else each.result
        now = replace(now, result=result, data_version=version)
        events.extend(steps)
        newest = each
        if each.record.operation == "d":
            stages.clear()
        elif each.result is None:
            stages.pop(Stage.COMPLETION, None)
            stages[Stage.ACCEPTANCE] = each
        else:
            stages[Stage.COMPLETION] = each
    assert now is not None, "there is at least one record"
    return Advance(now, tuple(events), newest, stages, tuple(stale))


def _events(now: Standing, told: Told) -> list[CaseEvent]:
    if told.record.operation == "d":
        return [] if now.state is CaseState.VOIDED else [CaseEvent.WITHDRAWN]
    events: list[CaseEvent] = []
    state = now.state
    if state is CaseState.VOIDED:
        events.append(CaseEvent.REINSTATED)
        state = CaseState.ACCEPTED
    if state is CaseState.SETTLED:
        # A correction of a settled case has something to tell again.
        events.append(CaseEvent.REOPENED)
        state = CaseState.COMPLETED
    if state is CaseState.COMPLETED and told.result is None:
        events.append(CaseEvent.RESULT_RETRACTED)
    if state is CaseState.ACCEPTED and told.result is not None:
        events.append(CaseEvent.RESULT_GIVEN)
    return events
