"""How large Prefect's database is, before and after what its retention takes, and after a year.

Retention is the server's own, with the settings that are shipped. Nobody waits a week for it: rows are made
older than they are, the tables are written anew so that this leaves no trace, and the server starts again.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from adapters.prefect_api.values import RUNS_KEPT
from benchmarks.database import Databases
from benchmarks.prefect_home import DATABASE, PrefectHome
from benchmarks.standing import until

WEEK, A_YEAR = 7, 365
_PATIENCE_S = 900.0
_CALM_S = 5.0
_OPEN_DAYS = 60
"""From acceptance to the end of the observation period: some weeks, and 15 to 45 days."""

_COUNTED = ("flow_run", "flow_run_state", "log", "events", "event_resources", "artifact", "task_run")
_OLDER = {
    WEEK: (
        "UPDATE events SET occurred = occurred - interval '8 days'",
        "UPDATE event_resources SET occurred = occurred - interval '8 days'",
    ),
    RUNS_KEPT.days: (
        f"UPDATE flow_run SET end_time = end_time - interval '{RUNS_KEPT.days + 1} days'",  # noqa: S608 - our own number
    ),
}
_DUE = {
    WEEK: "SELECT (SELECT count(*) FROM events WHERE occurred < now() - interval '7 days')"
    " + (SELECT count(*) FROM event_resources WHERE occurred < now() - interval '7 days')",
    RUNS_KEPT.days: "SELECT (SELECT count(*) FROM flow_run"  # noqa: S608 - our own number
    f" WHERE end_time < now() - interval '{RUNS_KEPT.days} days')"
    " + (SELECT count(*) FROM log l WHERE flow_run_id IS NOT NULL"
    "  AND NOT EXISTS (SELECT FROM flow_run f WHERE f.id = l.flow_run_id))",
}
_ENDLESS = (
    "SELECT count(*) FROM flow_run WHERE end_time IS NULL"
    " AND state_type IN ('COMPLETED', 'FAILED', 'CANCELLED', 'CRASHED')"
)


@dataclass(frozen=True, slots=True)
class PrefectRows:
    """Prefect's database, as its owner sees it."""

    databases: Databases

    @contextmanager
    def open(self) -> Iterator["psycopg.Connection[tuple[Any, ...]]"]:
        """A connection that commits each statement."""
        with self.databases.connected(DATABASE) as conn:
            yield conn

    def number(self, statement: str) -> int:
        """The one number a statement answers."""
        with self.open() as conn:
            row = conn.execute(statement.encode()).fetchone()
        assert row is not None
        return int(row[0])

    def do(self, *statements: str) -> None:
        """Carry these out, each for itself."""
        with self.open() as conn:
            for statement in statements:
                conn.execute(statement.encode())

    def bytes(self) -> int:
        """The whole database on the disk."""
        return self.number("SELECT pg_database_size(current_database())")

    def rows(self) -> dict[str, int]:
        """How many rows the tables hold that grow."""
        return {table: self.number(f"SELECT count(*) FROM {table}") for table in _COUNTED}  # noqa: S608 - our own names

    def calm(self) -> None:
        """Events are stored a while after they happened: until no more come."""
        seen = [-1]

        def still() -> bool:
            seen.append(self.number("SELECT count(*) FROM events"))
            return seen[-1] == seen[-2]

        until(still, seconds=_PATIENCE_S, every_s=_CALM_S, otherwise="Prefect 的事件一直没有写完")


def kept(home: PrefectHome, databases: Databases) -> dict[str, Any]:
    """Sizes before retention, after a week's, and after the ninety days' of what has ended."""
    rows = PrefectRows(databases)
    rows.calm()
    rows.do("CHECKPOINT")
    tables = databases.tables(DATABASE)
    made = {
        "bytes": rows.bytes(),
        "rows": rows.rows(),
        "bytes_by_table": {name: sum(each.values()) for name, each in list(tables.items())[:8]},
        "ended_without_an_end": rows.number(_ENDLESS),
    }
    return made | {f"after_{days}_days": _retained(home, rows, days) for days in _OLDER}


def _retained(home: PrefectHome, rows: PrefectRows, days: int) -> dict[str, Any]:
    home.stop_server()
    rows.do(*_OLDER[days], "VACUUM FULL")
    before, due = rows.bytes(), rows.number(_DUE[days])
    home.start_server()
    took = until(
        lambda: rows.number(_DUE[days]) == 0,
        seconds=_PATIENCE_S,
        every_s=0.5,
        otherwise=f"Prefect 没有清理 {days} 天以前的记录",
    )
    deleted = rows.bytes()
    rows.do("VACUUM ANALYZE")
    vacuumed = rows.bytes()
    rows.do("VACUUM FULL")
    return {
        "bytes_before": before,
        "rows_due": due,
        "deleted_in_s": round(took, 1),
        "bytes_deleted": deleted,
        "bytes_vacuumed": vacuumed,
        "bytes_written_anew": rows.bytes(),
        "rows": rows.rows(),
    }


def a_year(made: Mapping[str, Any], *, cases: int) -> dict[str, Any]:
    """What is in the database after so many cases in a year, out of what was measured.

    Every case moved six times, each move shown. Its run goes ninety days after its end, events after a
    week; ``nothing_ended`` is the year in which no case came to an end. The sweeps of a week, and what
    else happens without any case, stand beside it.
    """
    sizes, six = made["sizes"], made["six_shown"]["cases"]
    size = sizes["six_moves"]
    events = (size["after_7_days"]["bytes_before"] - size["after_7_days"]["bytes_written_anew"]) / six
    run = (size["after_7_days"]["bytes_written_anew"] - sizes["empty"]) / six
    idle = made["at_rest"]["bytes_a_minute"] * 60 * 24 * WEEK
    events_of_a_week = cases / A_YEAR * WEEK * events
    stays = cases / A_YEAR * min(A_YEAR, _OPEN_DAYS + RUNS_KEPT.days)
    return {
        "cases": cases,
        "bytes_of_a_run": round(run),
        "bytes_of_its_events": round(events),
        "open_days": _OPEN_DAYS,
        "runs_there": round(stays),
        "bytes_of_runs": round(stays * run),
        "bytes_of_events": round(events_of_a_week),
        "bytes_at_rest": round(idle),
        "bytes": round(sizes["empty"] + stays * run + events_of_a_week + idle),
        "bytes_if_nothing_ended": round(sizes["empty"] + cases * run + events_of_a_week + idle),
    }
