"""What a Prefect server says of itself, and what ``prefect.yaml`` says should be there."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml  # type: ignore[import-untyped]

from adapters.prefect_api.wire import PrefectWire

_MOST = 200


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployment with its active schedules, each as one line that can be compared."""

    name: str
    paused: bool
    schedules: tuple[str, ...]

    @property
    def doubled(self) -> tuple[str, ...]:
        """Schedules that are active more than once: every run would start twice."""
        return tuple(line for line, count in Counter(self.schedules).items() if count > 1)


class PrefectHealth:
    """Questions to one Prefect server; each raises as :class:`PrefectWire` does."""

    def __init__(self, api_url: str, *, auth: str | None = None) -> None:
        self._wire = PrefectWire(api_url, auth=auth, connections=1)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._wire.aclose()

    async def version(self) -> str:
        """The server's version."""
        return str(await self._wire.get("/admin/version"))

    async def deployed(self) -> tuple[Deployed, ...]:
        """Every deployment, by name; two flows may each have one of a name."""
        found = await self._wire.post("/deployments/filter", {"limit": _MOST, "sort": "NAME_ASC"})
        return tuple(_deployed(row) for row in found)


def declared(path: Path) -> tuple[str, ...]:
    """The names of the deployments in this ``prefect.yaml``; empty where it is not there.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return tuple(sorted(str(each["name"]) for each in content["deployments"]))
    except FileNotFoundError:
        return ()
    except (yaml.YAMLError, KeyError, TypeError, UnicodeDecodeError) as wrong:
        raise ValueError(f"{path.name}: {type(wrong).__name__}") from wrong


def _deployed(row: dict[str, Any]) -> Deployed:
    active = [each["schedule"] for each in row.get("schedules", []) if each.get("active")]
    return Deployed(row["name"], bool(row.get("paused")), tuple(_line(schedule) for schedule in active))


def _line(schedule: dict[str, Any]) -> str:
    said = schedule.get("cron") or schedule.get("rrule") or f"每 {schedule.get('interval')} 秒"
    return f"{said}（{schedule.get('timezone') or 'UTC'}）"
