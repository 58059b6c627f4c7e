"""The fault script: which requests go wrong, and how often each rule really struck.

`POST /_sim/faults` takes a list of rules and replaces the old ones; the first that strikes decides:
`{"match": {"method", "path_regex", "target", "connection"}, "do": {"kind", …}, "after": 0, "times": null,
"probability": 1, "seed": 0}`. ``target`` is looked for as text in the body (in what the Base64 holds,
for SMS); ``connection`` is ``fresh`` for the first request of a connection, ``kept`` for those after it;
``after`` lets so many matches pass, ``times`` ends it. Kinds and their options:

* nothing is stored: `status` (status, code, retry_after; without code an HTML page),
  `before_reset`, `before_close`, `before_hang` (seconds);
* stored, then no whole answer: `store_then_hang` (seconds), `store_then_reset`,
  `store_then_close`, `store_then_half`;
* stored, then an answer that cannot be used: `late` (seconds), `drip` (seconds a byte), `gbk`,
  `half_json`, `nan`, `deep` (depth), `many` (items), `huge` (bytes), `gzip_bomb` (bytes),
  `html200` (stored only with `"store": true`);
* a page that moved while it was read: `shift` (most: so many records at its beginning are missing this
  once, and as many repeated and out of order);
* a claim of the receiver: `theirs` (credit reports: nothing is stored, and each is answered as a
  duplicate of other content);
* state reports of SMS: `no_receipt`, `late_receipt` (seconds), `early_receipt` (before the answer),
  `double_receipt`, `unknown_receipt` (one more, for a group nobody knows).
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from adapters.sandbox.wire import Problem

BEFORE = frozenset({"status", "before_reset", "before_close", "before_hang"})
STORED = frozenset({"store_then_hang", "store_then_reset", "store_then_close", "store_then_half"})
MANGLED = frozenset(
    {"drip", "html200", "gbk", "half_json", "nan", "deep", "huge", "gzip_bomb", "many", "late"}
)
MOVED = frozenset({"shift"})
CLAIMS = frozenset({"theirs"})
RECEIPTS = frozenset({"no_receipt", "late_receipt", "early_receipt", "double_receipt", "unknown_receipt"})
BY_HANDLER = CLAIMS | RECEIPTS
"""What the handler itself does wrong."""
KINDS = BEFORE | STORED | MANGLED | MOVED | BY_HANDLER


@dataclass(slots=True)
class Fault:
    """One rule of the script. ``seen`` counts matches, ``hits`` strikes."""

    match: dict[str, str]
    do: dict[str, Any]
    after: int = 0
    times: int | None = None
    probability: float = 1.0
    seed: int = 0
    seen: int = 0
    hits: int = 0
    path: re.Pattern[str] | None = None
    draw: random.Random = field(default_factory=random.Random)
    missed: set[bytes] = field(default_factory=set)

    @property
    def kind(self) -> str:
        """The name of what goes wrong."""
        return str(self.do["kind"])

    def matches(self, method: str, path: str, connection: str, text: Callable[[], str]) -> bool:
        """Whether the rule is about this request at all."""
        if self.match.get("method", method) != method:
            return False
        if self.match.get("connection", connection) != connection:
            return False
        if self.path is not None and not self.path.search(path):
            return False
        target = self.match.get("target")
        return target is None or target in text()

    def strikes(self) -> bool:
        """Whether it goes wrong this time; counts both answers."""
        self.seen += 1
        if self.seen <= self.after or (self.times is not None and self.hits >= self.times):
            return False
        if self.probability < 1 and self.draw.random() >= self.probability:
            return False
        self.hits += 1
        return True


class Script:
    """The rules in force; the first that strikes decides."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []

    def replace(self, rules: Any) -> None:
        """Put these rules in place of the old ones; counts start at 0.

        Raises:
            Problem: malformed, naming the first rule that is none.
        """
        if not isinstance(rules, list):
            raise Problem("malformed", "故障脚本应为数组")
        self.rules = [_rule(number, rule) for number, rule in enumerate(rules)]

    def pick(self, method: str, path: str, connection: str, text: Callable[[], str]) -> Fault | None:
        """The rule that strikes this request, if any."""
        for rule in self.rules:
            if rule.matches(method, path, connection, text) and rule.strikes():
                return rule
        return None

    def counts(self) -> list[dict[str, Any]]:
        """Every rule with how often it matched and struck."""
        return [{"match": r.match, "do": r.do, "seen": r.seen, "hits": r.hits} for r in self.rules]


def _rule(number: int, rule: Any) -> Fault:
    known = {"match", "do", "after", "times", "probability", "seed"}
    if not isinstance(rule, dict) or not isinstance(rule.get("do"), dict) or set(rule) - known:
        raise Problem("malformed", f"第 {number} 条故障规则不合格式")
    if rule["do"].get("kind") not in KINDS:
        raise Problem("malformed", f"第 {number} 条故障规则的 kind 未知")
    match = rule.get("match") or {}
    if not isinstance(match, dict) or set(match) - {"method", "path_regex", "target", "connection"}:
        raise Problem("malformed", f"第 {number} 条故障规则的 match 不合格式")
    seed = int(rule.get("seed") or 0)
    return Fault(
        match=match,
        do=rule["do"],
        after=int(rule.get("after") or 0),
        times=rule.get("times"),
        probability=float(rule.get("probability", 1)),
        seed=seed,
        path=re.compile(match["path_regex"]) if "path_regex" in match else None,
        draw=random.Random(seed),
    )
