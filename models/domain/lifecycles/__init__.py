"""Five lifecycles, each one transition table: case, handover, effect, licence, breaker."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from models.domain.errors import ForbiddenMove

S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)


def after(transitions: Mapping[tuple[S, E], S], state: S, event: E) -> S:
    """The state the event leads to.

    Raises:
        ForbiddenMove: the lifecycle has no such transition.
    """
    try:
        return transitions[state, event]
    except KeyError:
        raise ForbiddenMove(type(state).__qualname__, state.value, event.value) from None
