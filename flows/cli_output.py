"""What every command shares: settings and logs before work, JSON or Chinese lines after it."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from config.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="以 JSON 输出（格式见 docs/schemas/）")]

STANDING = Path("var") / "up" / "settings.json"
"""Where `shenguan up` leaves its settings while it runs, for commands beside it."""


def begin_work(*, log_level: str | None = None) -> "Settings":
    """The settings, with logs going to standard error as they say.

    Where the environment names no ledger and a stack stands under ``var/up``, its settings are used.

    Raises:
        SettingsWrong: naming every problem at once.
    """
    from config.logging import configure_logging
    from config.settings import load_settings
    from config.surroundings import take_up_settings

    take_up_settings(STANDING)
    settings = load_settings()
    configure_logging(level=log_level or settings.log_level, form=settings.log_format)  # type: ignore[arg-type]
    return settings


def as_json(value: Any) -> str:
    """A report as JSON, its times with their offset."""
    from pydantic import TypeAdapter

    return TypeAdapter(type(value)).dump_json(value).decode()


def say(value: Any, lines: Iterable[str], *, json_out: bool) -> None:
    """Print the report: one JSON object, or lines for people."""
    if json_out:
        typer.echo(as_json(value))
    else:
        for line in lines:
            typer.echo(line)


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Something moves on a terminal while this lasts; elsewhere nothing is said."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield


def moment(at: datetime | None) -> str:
    """A moment in Asia/Shanghai to the minute; a dash for none."""
    from models.domain.workdays import SHANGHAI

    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M") if at else "—"


def ago(seconds: float) -> str:
    """A length of time in the unit people would use."""
    minutes, hours, days = seconds / 60, seconds / 3600, seconds / 86400
    if days >= 1:
        return f"{days:.0f} 天"
    if hours >= 1:
        return f"{hours:.0f} 小时"
    return f"{minutes:.0f} 分钟" if minutes >= 1 else f"{seconds:.0f} 秒"
