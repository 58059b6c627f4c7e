"""A page that is too large is asked for again in smaller pieces: one record's size is its own matter."""

from collections.abc import Awaitable, Callable

import structlog

from adapters.values import Page
from models.domain.errors import Unreadable
from tasks.intake import Fetch

log = structlog.get_logger(__name__)

Ask = Callable[[str | None, int], Awaitable[Page]]
"""A page after a cursor, of at most so many records."""

_TOO_MUCH = frozenset({"too-large", "too-many-values", "too-many-items"})
_STEP = 8


def in_pieces(ask: Ask, size: int) -> Fetch:
    """A reading of pages of ``size`` records that goes down to single ones where a page is too much.

    What is left over is a record that alone is too much: its answer stands in front of a person, and the
    feed before it has been read.
    """

    async def fetch(cursor: str | None) -> Page:
        limit = size
        while True:
            try:
                return await ask(cursor, limit)
            except Unreadable as broken:
                if broken.rule not in _TOO_MUCH or limit == 1:
                    raise
                limit = max(1, limit // _STEP)
                log.warning("page.too_large", rule=broken.rule, next_limit=limit)

    return fetch
