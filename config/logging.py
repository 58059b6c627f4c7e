"""Logs: events in the past tense with their fields, rendered here, free of personal data.

Everything is rendered inside structlog and handed on as one finished line, because only the
message reaches Prefect's log page. A line that carries ``flow_run_id`` is routed to that run.
"""

import logging
import sys
from collections.abc import Mapping
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from config.log_privacy import PrivacyGuard

ROOT = "shenguan"
# Rooms whose modules name their logger after themselves; what they say is ours too.
ROOMS = ("flows", "tasks", "models", "adapters")
Level = Literal["debug", "info", "warning", "error"]
Form = Literal["auto", "json", "console"]
# What Prefect's handler reads to route a line.
_ROUTES = ("flow_run_id", "task_run_id")


def configure_logging(
    *, level: Level = "info", form: Form = "auto", strict: bool = False, stream: TextIO | None = None
) -> None:
    """Sets up structlog, the ``shenguan`` logger and those of the rooms; may be called again.

    ``auto`` writes words on a terminal and JSON elsewhere, to ``stream`` (standard error). With
    ``strict`` a personal key raises :class:`config.log_privacy.PersonalDataLogged`: tests run so.
    """
    stream = stream or sys.stderr
    words = form == "console" or (form == "auto" and stream.isatty())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Tracebacks become text first, so that the guard reads them too. Never with locals.
            structlog.processors.format_exc_info,
            PrivacyGuard(strict=strict),
            _Rendered(words=words, colors=words and stream.isatty()),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.set_name(ROOT)
    handler.setFormatter(logging.Formatter("%(message)s"))
    for name in (ROOT, *ROOMS):
        logger = logging.getLogger(name)
        logger.setLevel(level.upper())
        for old in [each for each in logger.handlers if each.get_name() == ROOT]:
            logger.removeHandler(old)
        logger.addHandler(handler)
        logger.propagate = False


def get_logger(name: str, **bound: Any) -> structlog.stdlib.BoundLogger:
    """The logger of one room, e.g. ``push``, with fields bound to each of its lines."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(f"{ROOT}.{name}", **bound)
    return logger


class _Rendered:
    """The last processor: one finished line, and beside it only what routes it."""

    def __init__(self, *, words: bool, colors: bool) -> None:
        self._render: Processor = (
            structlog.dev.ConsoleRenderer(
                colors=colors, exception_formatter=structlog.dev.plain_traceback, sort_keys=False
            )
            if words
            else structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
        )

    def __call__(
        self, logger: WrappedLogger, method: str, event: EventDict
    ) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        extra = {name: event.pop(name) for name in _ROUTES if name in event}
        # The traceback is rendered and guarded already; logging must not add its own.
        return (self._render(logger, method, event),), {"extra": extra, "exc_info": False}
