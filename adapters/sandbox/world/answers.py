"""What the departments answer to a push: they read it, and some inspect, days later."""

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from adapters.sandbox.world.cases import Case
from adapters.sandbox.world.city import Target, WorldCity
from adapters.sandbox.world.penalties import penalty, spoiled

_READ = 0.85
_INSPECTED = 0.22
_REPLIES = 0.92  # of requested replies come in time
_DAY = 24
# result, handling, what follows; most inspections find nothing, and most departments stay silent.
_COURSES = (
    (0.72, "passed"),
    (0.10, "mended"),
    (0.06, "mended_twice"),
    (0.06, "penalty"),
    (0.04, "measure"),
    (0.02, "minor"),
)
_NO_ANSWERS = frozenset(
    {"secret", "work_secret", "not_applicable", "unknown_item", "broken_credit_code", "broken_id_number"}
)
# A decision recorded late leaves no time for an inspection before its observation ends.
_ONLY_READ = frozenset({"withdrawn_after_push", "withdrawn_before_result", "late_decision"})


class Departments:
    """Draws the answers of all departments; feedback numbers run through the whole world."""

    def __init__(self, seed: str, city: WorldCity) -> None:
        self._draw = random.Random(f"{seed}|answers")
        self._city = city
        self._serial = 0
        self._unseen = ["minor", "mended_twice", "measure", "mended", "penalty", "passed"]
        self.penalties = 0

    def number(self) -> str:
        """The next feedback number."""
        self._serial += 1
        return f"FK2026{self._serial:07d}"

    def feedback(self, kind: str, department: str, **fields: Any) -> dict[str, Any]:
        """A feedback record of version 1 whose times are filled in when it is given."""
        return {
            "feedback_no": self.number(),
            "version": 1,
            "operation": "i",
            "department": department,
            "section": None,
            "supervision_item": None,
            "case_no": None,
            "licence_number": None,
            "item_code": None,
            "party": None,
            "kind": kind,
            "result": None,
            "handling": None,
            "rectification": None,
            "rectification_due": None,
            "measures": [],
            "summary": "",
            "penalty": None,
        } | fields

    def answers(self, case: Case) -> Iterator[dict[str, Any]]:
        """Every answer to every push of this case, in no order."""
        if case.trait in _NO_ANSWERS:
            return
        for target in self._city.targets(case.item, case.place):
            if target is None:
                continue
            for stage in case.item["stages"]:
                if self._draw.random() < _READ:
                    hours = self._draw.randint(1, 2 * _DAY)
                    yield self._answer(case, target, stage, hours, self.feedback("read", target.department))
            if case.granted and case.action != "revoke" and case.trait not in _ONLY_READ:
                yield from self._supervision(case, target)

    def _supervision(self, case: Case, target: Target) -> Iterator[dict[str, Any]]:
        draw = self._draw
        # Everything ends well before the observation period does: the rest is drawn elsewhere.
        days = max(4, int(case.item["observation_days"]) - 4)
        after = draw.randint(1 * _DAY, days * _DAY // 2)
        if target.reply_days:
            if draw.random() >= _REPLIES:
                return
            after = draw.randint(12, max(24, target.reply_days * _DAY * 7 // 10))
        elif draw.random() >= _INSPECTED:
            return
        drawn = draw.choices([name for _, name in _COURSES], [share for share, _ in _COURSES])[0]
        # The first inspections of a world show every course, whatever the shares draw.
        course = self._unseen.pop() if self._unseen else drawn
        rest = days * _DAY - after
        for share, record in getattr(self, f"_{course}")(case, target, after):
            yield self._answer(case, target, "completion", after + int(rest * share), record)

    def _passed(self, _case: Case, target: Target, _after: int) -> Iterator[tuple[float, dict[str, Any]]]:
        yield 0, self._inspection(target, "符合", "通过")

    def _minor(self, _case: Case, target: Target, _after: int) -> Iterator[tuple[float, dict[str, Any]]]:
        yield 0, self._inspection(target, "基本符合", "通过")

    def _mended(self, case: Case, target: Target, after: int) -> Iterator[tuple[float, dict[str, Any]]]:
        due = (case.completed + timedelta(hours=after, days=10)).date().isoformat()
        result = self._draw.choice(("基本符合", "不符合"))
        yield 0, self._inspection(target, result, "限期整改") | {"rectification_due": due}
        yield 0.6, self._rectified(target, "合格")

    def _mended_twice(self, case: Case, target: Target, after: int) -> Iterator[tuple[float, dict[str, Any]]]:
        first = (case.completed + timedelta(hours=after, days=5)).date().isoformat()
        again = (case.completed + timedelta(hours=after, days=12)).date().isoformat()
        yield 0, self._inspection(target, "不符合", "限期整改") | {"rectification_due": first}
        yield 0.4, self._rectified(target, "继续整改") | {"rectification_due": again}
        yield 0.9, self._rectified(target, "合格")

    def _measure(self, _case: Case, target: Target, _after: int) -> Iterator[tuple[float, dict[str, Any]]]:
        word = self._draw.choice(("警告", "责令停产停业", "暂扣", "其他"))
        yield 0, self._inspection(target, "不符合", "移交执法")
        yield (
            0.5,
            self.feedback("measure", target.department, measures=[word], summary=f"已采取行政措施：{word}。"),
        )

    def _penalty(self, case: Case, target: Target, after: int) -> Iterator[tuple[float, dict[str, Any]]]:
        yield 0, self._inspection(target, "不符合", "移交执法")
        days = max(4, int(case.item["observation_days"]) - 4)
        decided = case.completed + timedelta(hours=after + int((days * _DAY - after) * 0.5))
        department = self._city.departments[target.department]
        fields = penalty(self.penalties, case.party, department, decided.date())
        if self.penalties % 6 == 2:  # noqa: PLR2004 - one in six breaks a rule
            fields = spoiled(self.penalties // 6, fields)
        self.penalties += 1
        words = [word for word in ("警告", "罚款", "责令停产停业") if word in fields["CF_CFLB"]] or ["其他"]
        yield 0.5, self.feedback("penalty", target.department, measures=words, penalty=fields)

    def _inspection(self, target: Target, result: str, handling: str) -> dict[str, Any]:
        summary = f"{target.name}：{result}，{handling}。"
        return self.feedback(
            "inspection", target.department, result=result, handling=handling, summary=summary
        )

    def _rectified(self, target: Target, outcome: str) -> dict[str, Any]:
        summary = f"{target.name}：复查{outcome}。"
        return self.feedback("rectification", target.department, rectification=outcome, summary=summary)

    def _answer(
        self, case: Case, target: Target, stage: str, hours: int, record: dict[str, Any]
    ) -> dict[str, Any]:
        named = {
            "section": target.section,
            "supervision_item": target.supervision_item,
            "case_no": case.case_no,
            "item_code": case.item["code"],
        }
        return {
            "case_no": case.case_no,
            "department": target.department,
            "supervision_item": target.supervision_item,
            "stage": stage,
            "after_hours": hours,
            "record": record | named,
        }
