"""Pictures of the lifecycles, drawn from the tables themselves."""

from collections.abc import Mapping
from dataclasses import dataclass

from models.domain.lifecycles import E, S, breaker, case, effect, handover, licence
from models.domain.messages import event_name


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """One lifecycle as its picture needs it: moves are (from, event, to), in the table's order."""

    entity: str
    title: str
    start: str
    moves: tuple[tuple[str, str, str], ...]
    names: Mapping[str, str]

    @property
    def ends(self) -> tuple[str, ...]:
        """The states that nothing leads out of."""
        leaving = {state for state, _, _ in self.moves}
        return tuple(state for state in self.names if state not in leaving)


def lifecycles() -> tuple[Lifecycle, ...]:
    """The five lifecycles, each with the state it begins in."""
    return (
        _drawn("case", "办件 case", case.CaseState.ACCEPTED, case.TRANSITIONS, case.CHINESE),
        _drawn(
            "handover",
            "联动单 handover",
            handover.HandoverState.PLANNED,
            handover.TRANSITIONS,
            handover.CHINESE,
        ),
        _drawn("effect", "对外动作 effect", effect.EffectState.PLANNED, effect.TRANSITIONS, effect.CHINESE),
        _drawn("licence", "许可 licence", licence.LicenceState.VALID, licence.TRANSITIONS, licence.CHINESE),
        _drawn("breaker", "断路 breaker", breaker.BreakerState.CLOSED, breaker.TRANSITIONS, breaker.CHINESE),
    )


def state_diagram(lifecycle: Lifecycle) -> str:
    """The lifecycle as a mermaid ``stateDiagram-v2``; events with one way share one arrow."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for state, event, target in lifecycle.moves:
        arrows.setdefault((state, target), []).append(event_name(lifecycle.entity, event))
    return "\n".join(
        (
            "stateDiagram-v2",
            *(f"    {state} : {name} {state}" for state, name in lifecycle.names.items()),
            f"    [*] --> {lifecycle.start}",
            *(f"    {state} --> {to} : {'／'.join(events)}" for (state, to), events in arrows.items()),
            *(f"    {state} --> [*]" for state in lifecycle.ends),
        )
    )


def lifecycle_page() -> str:
    """The whole of ``docs/lifecycle.md``: a picture and a table of moves for each lifecycle."""
    head = (
        "# Lifecycles\n\n"
        "Generated from `models/domain/lifecycles/` by `python -m models.domain.diagram`; do not edit.\n"
        "A move that is not listed is forbidden.\n"
    )
    pictures = (
        f"## {each.title}\n\n```mermaid\n{state_diagram(each)}\n```\n\n{_table(each)}"
        for each in lifecycles()
    )
    return "\n".join((head, *pictures))


def _drawn(
    entity: str, title: str, start: S, transitions: Mapping[tuple[S, E], S], chinese: Mapping[S, str]
) -> Lifecycle:
    return Lifecycle(
        entity,
        title,
        start.value,
        tuple((state.value, event.value, target.value) for (state, event), target in transitions.items()),
        {state.value: name for state, name in chinese.items()},
    )


def _table(lifecycle: Lifecycle) -> str:
    def named(state: str) -> str:
        return f"{lifecycle.names[state]} `{state}`"

    lines = ["| from | event | to |", "|--|--|--|"]
    lines += [
        f"| {named(state)} | {event_name(lifecycle.entity, event)} `{event}` | {named(target)} |"
        for state, event, target in lifecycle.moves
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(lifecycle_page(), end="")  # noqa: T201 - a page for standard output
