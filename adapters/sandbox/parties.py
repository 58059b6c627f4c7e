"""What the credit system knows about parties, and the records it makes itself."""

import hashlib
import json
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from adapters.sandbox.clock import BUSINESS_ZONE, moment, written
from adapters.sandbox.feed import Feed
from adapters.sandbox.memory import Stored

_SERIOUS = ("吊销", "责令停产停业", "责令关闭", "限制从业", "限制开展生产经营活动")
_SHARE = 0.3
_BAD = "严重失信主体名单"
_YEARS = 3


class Parties:
    """Grades and records by id number: the world's, and what came of accepted penalties."""

    def __init__(self, path: Path, feed: Feed, *, seed: str) -> None:
        self._feed = feed
        self._seed = seed
        self._known: dict[str, dict[str, Any]] = {}
        self._entries: dict[str, list[tuple[float, dict[str, Any]]]] = {}
        if not path.exists():
            return
        with path.open("rb") as file:
            for line in file:
                row = json.loads(line)
                self._known[row["id_number"]] = row

    def is_unknown(self, id_number: str) -> bool:
        """Whether the world says that this subject cannot be found."""
        return self._known.get(id_number, {}).get("known", True) is False

    def asked(self, id_number: str, now: float) -> tuple[str, list[dict[str, Any]]]:
        """Grade and records; `ordinary` without records for whoever is not in the files."""
        row = self._known.get(id_number, {})
        grade = str(row.get("grade", "ordinary"))
        records = list(row.get("records", ()))
        made = [record for due, record in self._entries.get(id_number, ()) if due <= now]
        return ("bad" if made else grade), records + made

    def reported(self, report: Stored) -> None:
        """A serious penalty was accepted: by the world's seed the party gets on the list days later."""
        kinds, party = report.extra.get("penalty_kinds"), report.extra.get("party")
        if report.kind != "CF" or party is None or not any(word in (kinds or "") for word in _SERIOUS):
            return
        draw = random.Random(f"{self._seed}|entry|{report.own_id}")
        if draw.random() >= _SHARE:
            return
        due = moment(report.at).timestamp() + draw.uniform(2, 6) * 86400
        record = _entry(report, party, due)
        brief = {name: record[name] for name in ("record_no", "category", "measures", "from", "to")}
        self._entries.setdefault(party["id_number"], []).append((due, brief))
        self._feed.plan(due, f"report:{report.own_id}", lambda: record)


def _entry(report: Stored, party: dict[str, Any], due: float) -> dict[str, Any]:
    given = datetime.fromtimestamp(due, BUSINESS_ZONE)
    return {
        "record_no": "SX" + hashlib.sha256(report.own_id.encode()).hexdigest()[:16].upper(),
        "version": 1,
        "operation": "entry",
        "changed_at": written(given),
        "category": _BAD,
        "party": party,
        "measures": [{"code": "限制适用告知承诺", "basis": "国办发〔2020〕42号"}],
        "from": given.date().isoformat(),
        "to": (given.date() + timedelta(days=365 * _YEARS)).isoformat(),
        "source_own_id": report.own_id,
    }
