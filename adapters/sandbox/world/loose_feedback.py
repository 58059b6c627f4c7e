"""Feedback that no push asked for: by licence, by party, about policy, repeated, late, misplaced."""

import copy
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from adapters.sandbox.world.answers import Departments
from adapters.sandbox.world.cases import Case, is_reported
from adapters.sandbox.world.city import Target, WorldCity
from adapters.sandbox.world.penalties import penalty, spoiled
from adapters.sandbox.world.timeline import BEGINS, at, later, office_moment, written
from adapters.sandbox.world.versions import Published

_POLICIES = (
    "《湖南省行政执法条例》有关规定已修改，请按新规定办理许可审查。",
    "上级部门已下放本事项部分审批权限，审查要点随文调整。",
    "本事项监督检查频次与方式依国办发〔2024〕54号调整。",
    "本事项许可条件中的国家标准已更新，请同步更新办事指南。",
)
# For every thousand cases; each kind at least as often as the third figure says.
_SHARES: tuple[tuple[str, float, int], ...] = (
    ("policy", 4, 2),
    ("by_licence", 6, 2),
    ("by_party", 3, 1),
    ("orphan", 4, 2),
    ("repeated", 4, 1),
    ("newer_version", 3, 1),
    ("stale_version", 2, 1),
    ("withdrawn", 1, 1),
    ("wrong_department", 2, 1),
    ("late", 2, 1),
    ("penalty_by_licence", 2, 1),
    ("broken_penalty", 1, 1),
    ("malformed", 2, 2),
)


class LooseFeedback:
    """Draws the feedback feed that runs by time alone."""

    def __init__(self, seed: str, city: WorldCity, departments: Departments, cases: list[Case]) -> None:
        self._draw = random.Random(f"{seed}|loose")
        self._city = city
        self._departments = departments
        usable = [
            case
            for case in cases
            if case.granted
            and case.action == "issue"
            and case.trait in {"plain", "repeated", "corrected_outside_scope"}
            and case.item.get("mode") == "live"
            and case.accepted.isoformat() >= case.item["go_live_at"]
        ]
        # A small world may hold none of the quiet kind; then any granted one must do.
        self._cases = usable or [
            case for case in cases if case.granted and any(city.targets(case.item, case.place))
        ]
        self._count = len(cases)
        self._broken = 0

    def records(self) -> list[Published]:
        """All of it: moment and record."""
        found: list[Published] = []
        if not self._cases:
            return found
        for kind, share, least in _SHARES:
            make: Callable[[], list[Published]] = getattr(self, f"_{kind}")
            for _ in range(max(least, round(share * self._count / 1000))):
                found += make()
        return found

    def _policy(self) -> list[Published]:
        case, target = self._pick()
        named = {"item_code": case.item["code"]} if self._draw.random() < 0.7 else {}  # noqa: PLR2004 - a share
        summary = self._draw.choice(_POLICIES)
        record = self._departments.feedback(
            "policy", target.department, supervision_item=target.supervision_item, summary=summary, **named
        )
        moment = office_moment(self._draw, later(BEGINS, self._draw.randint(3, 50)))
        return [_given(moment, record)]

    def _by_licence(self) -> list[Published]:
        case, target = self._pick()
        moment = self._after(case)
        licence = {"licence_number": case.licence_number, "item_code": case.item["code"]}
        if self._draw.random() < 0.5:  # noqa: PLR2004 - a share
            return [_given(moment, self._inspection(target, "符合", "通过") | licence)]
        due = (moment + timedelta(days=7)).date().isoformat()
        found = self._inspection(target, "不符合", "限期整改") | licence | {"rectification_due": due}
        mended = self._departments.feedback(
            "rectification", target.department, rectification="合格", summary="复查合格。"
        )
        mended |= licence | {"supervision_item": target.supervision_item}
        return [_given(moment, found), _given(moment + timedelta(days=4), mended)]

    def _by_party(self) -> list[Published]:
        case, target = self._pick()
        named = {
            "item_code": case.item["code"],
            "party": {"name": case.party.name, "id_number": case.party.id_number},
        }
        return [_given(self._after(case), self._inspection(target, "基本符合", "通过") | named)]

    def _orphan(self) -> list[Published]:
        case, target = self._pick()
        record = self._inspection(target, "不符合", "限期整改") | {"supervision_item": None}
        return [_given(self._after(case), record)]

    def _repeated(self) -> list[Published]:
        moment, record = self._about_case("符合", "通过")
        return [(moment, record), (moment + timedelta(hours=self._draw.randint(1, 30)), record)]

    def _newer_version(self) -> list[Published]:
        return self._two_versions()

    def _stale_version(self) -> list[Published]:
        (first, old), (second, new) = self._two_versions()
        return [(first, new), (second, old)]

    def _withdrawn(self) -> list[Published]:
        (moment, old), (later_on, new) = self._two_versions()
        return [(moment, old), (later_on, new | {"operation": "d"})]

    def _wrong_department(self) -> list[Published]:
        case, _ = self._pick()
        mine = {target.department for target in self._city.targets(case.item, case.place) if target}
        others = sorted(
            code
            for code, row in self._city.departments.items()
            if code not in mine and row["role"] == "supervision" and not row.get("successor")
        )
        record = self._departments.feedback(
            "inspection",
            self._draw.choice(others),
            case_no=case.case_no,
            result="不符合",
            handling="限期整改",
            summary="现场检查不符合要求。",
        )
        return [_given(self._after(case), record)]

    def _late(self) -> list[Published]:
        """News after the observation period, and the end of it."""
        case, target = self._pick()
        moment = case.observed_until + timedelta(days=1, hours=self._draw.randint(1, 20))
        named = {"case_no": case.case_no}
        due = (moment + timedelta(days=5)).date().isoformat()
        found = self._inspection(target, "不符合", "限期整改") | named | {"rectification_due": due}
        mended = self._departments.feedback(
            "rectification", target.department, rectification="合格", summary="复查合格。"
        )
        mended |= named | {"supervision_item": target.supervision_item}
        return [_given(moment, found), _given(moment + timedelta(days=2), mended)]

    def _penalty_by_licence(self) -> list[Published]:
        case, target = self._pick(reported=True)
        moment = self._after(case)
        department = self._city.departments[target.department]
        fields = penalty(self._departments.penalties, case.party, department, moment.date())
        self._departments.penalties += 1
        record = self._departments.feedback("penalty", target.department, measures=["其他"], penalty=fields)
        return [_given(moment, record | {"licence_number": case.licence_number})]

    def _broken_penalty(self) -> list[Published]:
        """A decision that the credit system refuses by its rules."""
        [(moment, record)] = self._penalty_by_licence()
        self._broken += 1
        return [(moment, record | {"penalty": spoiled(self._broken - 1, record["penalty"])})]

    def _malformed(self) -> list[Published]:
        moment, record = self._about_case("符合", "通过")
        record["feedback_no"] = f"BAD-{record['feedback_no']}"
        match self._draw.randrange(4):
            case 0:
                del record["feedback_no"]
            case 1:
                record["kind"] = "巡查"
            case 2:
                record["version"] = "1"
            case _:
                record["result"] = "优秀"
        return [(moment, record)]

    def _two_versions(self) -> list[Published]:
        moment, old = self._about_case("不符合", "限期整改")
        when = moment + timedelta(hours=self._draw.randint(3, 40))
        new = copy.deepcopy(old) | {
            "version": 2,
            "operation": "u",
            "changed_at": written(when),
            "result": "基本符合",
            "handling": "通过",
        }
        return [(moment, old), (when, new)]

    def _about_case(self, result: str, handling: str) -> Published:
        case, target = self._pick()
        record = self._inspection(target, result, handling) | {"case_no": case.case_no}
        return _given(self._after(case), record)

    def _inspection(self, target: Target, result: str, handling: str) -> dict[str, Any]:
        return self._departments.feedback(
            "inspection",
            target.department,
            section=target.section,
            supervision_item=target.supervision_item,
            result=result,
            handling=handling,
            summary=f"{target.name}：{result}，{handling}。",
        )

    def _pick(self, *, reported: bool = False) -> tuple[Case, Target]:
        cases = [case for case in self._cases if is_reported(case.item)] if reported else self._cases
        case = self._draw.choice(cases or self._cases)
        targets = [target for target in self._city.targets(case.item, case.place) if target]
        return case, self._draw.choice([each for each in targets if each.role == "supervision"] or targets)

    def _after(self, case: Case) -> datetime:
        """Some days after the result, inside the observation period."""
        days = max(3, int(case.item["observation_days"]) // 2)
        moment = case.completed + timedelta(days=self._draw.randint(2, days))
        return max(at(moment.date(), 9 * 3600), moment)


def _given(moment: datetime, record: dict[str, Any]) -> Published:
    filled = {"changed_at": written(moment), "happened_on": moment.date().isoformat(), "push_receipt": None}
    return moment, record | filled
