"""The departments behind the platform: what they answer to a push, and when.

Answers wait by the business clock. What waits is rebuilt on start from the ledger (which
pushes are held) and the feed file (which answers were given).
"""

import json
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

from adapters.sandbox.clock import BUSINESS_ZONE, moment, written
from adapters.sandbox.feed import Feed
from adapters.sandbox.memory import Stored

_Key = tuple[str, str, str, str]


class Answers:
    """The world's answers, each planned into the feedback feed by its first matching push."""

    def __init__(self, path: Path, feed: Feed) -> None:
        self._feed = feed
        self._waiting: dict[_Key, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
        if not path.exists():
            return
        with path.open("rb") as file:
            for number, line in enumerate(file):
                answer = json.loads(line)
                key = (answer["case_no"], answer["department"], answer["supervision_item"], answer["stage"])
                self._waiting[key].append((number, answer))

    def pushed(self, push: Stored) -> None:
        """A push was stored: its answers become due some business hours later."""
        key = (push.extra["case_no"], push.target, push.extra["supervision_item"], push.stage or "")
        stored = moment(push.at).timestamp()
        for number, answer in self._waiting.pop(key, ()):
            due = stored + float(answer["after_hours"]) * 3600
            self._feed.plan(due, f"answer:{number}", _Answer(answer["record"], due, push.receipt["number"]))


class _Answer:
    """A feedback record whose open places are filled when it is given."""

    __slots__ = ("_due", "_receipt", "_record")

    def __init__(self, record: dict[str, Any], due: float, receipt: str) -> None:
        self._record = record
        self._due = due
        self._receipt = receipt

    def __call__(self) -> dict[str, Any]:
        """The record as the feed shows it."""
        given = datetime.fromtimestamp(self._due, BUSINESS_ZONE)
        record = dict(self._record)
        record["changed_at"] = written(given)
        if record.get("happened_on") is None:
            record["happened_on"] = given.date().isoformat()
        record["push_receipt"] = self._receipt if record.get("kind") == "read" else None
        return record
