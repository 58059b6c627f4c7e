"""The ledger as anybody with its password sees it, and waiting for what it shows."""

import time
from datetime import datetime

import psycopg
from psycopg.rows import dict_row


class NotQuiet(AssertionError):  # noqa: N818 - named as the finding it is
    """Something went on, or did not end, in the time it was given."""


class Seen:
    """A row's looks at its stack's ledger."""

    patience_s = 60
    """How long PostgreSQL is waited for."""

    def rows(self, sql: str, values=()) -> list[dict]:
        with psycopg.connect(self.url, row_factory=dict_row, connect_timeout=5) as conn:
            conn.read_only = True
            return conn.execute(sql, values).fetchall()

    def value(self, sql: str, values=()):
        (found,) = self.rows(sql, values)
        return next(iter(found.values()))

    def change(self, sql: str, values=()):
        with psycopg.connect(self.url, connect_timeout=5) as conn:
            conn.execute(sql, values)

    @property
    def url(self) -> str:
        return self.stack.cluster.url("superuser", "shenguan")

    def patiently(self, act, *, patience_s=None):
        """Do it as soon as PostgreSQL is there."""
        end = time.monotonic() + (patience_s or self.patience_s)
        while True:
            try:
                return act()
            except psycopg.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    def until(self, ready, patience_s: float, what: str):
        """What ``ready`` gives, as soon as it gives something."""
        end = time.monotonic() + patience_s
        while not (found := ready()):
            if time.monotonic() > end:
                raise NotQuiet(f"not within {patience_s:.0f} s: {what}")
            time.sleep(0.05)
        return found

    def feed_has(self, case_no: str) -> bool:
        """Whether the platform has served something of this case."""
        return f'"case_no":"{case_no}"' in self.stack.simulators.feed("platform").read_text(encoding="utf-8")

    def open_texts(self) -> int:
        """Texts in flight now: what an injection at this moment may leave held."""
        return self.value("SELECT count(*) FROM effects WHERE channel = 'sms' AND state = 'intent'")

    def texts_called_during(self, spans: list[tuple[datetime, datetime, int | None]]) -> set[str]:
        """Texts that were in flight in any of these spans of the machine's time: called, and not recorded.

        A span is begun, ended, and the process whose calls it is about; None for everybody's.
        """
        begun, ended, pids = zip(*spans, strict=True) if spans else ((), (), ())
        found = self.rows(_CALLED_DURING, (list(begun), list(ended), list(pids)))
        return {each["own_id"] for each in found}


_CALLED_DURING = (
    "SELECT DISTINCT a.own_id FROM effect_attempts a JOIN effects e ON e.own_id = a.own_id"
    " JOIN unnest(%s::timestamptz[], %s::timestamptz[], %s::integer[]) s (begun, ended, pid)"
    " ON a.started_at <= s.ended AND (a.finished_at IS NULL OR a.finished_at >= s.begun)"
    " AND (s.pid IS NULL OR a.worker LIKE '%%:' || s.pid)"
    " WHERE e.channel = 'sms'"
)
