"""Every reason the code writes has a name that people can read."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.domain.reasons import ANSWERS, REASONS, answer_name, note, reason_name
from tests.repository.source import modules, shown, tree

PLACES = ("tasks", "models/ledger")
# the position of the reason or rule in calls that take it without a name
POSITIONS = {"Problem": 1, "BrokenRecord": 1, "_for_a_person": 1, "withdraw_planned": 2}
IN_SQL = re.compile(r"reason = '(\w+)'|THEN '(worker_lost)'")
CODE = re.compile(r"[a-z]+([_-][a-z]+)*")


def reasons_of(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield from _called(node)
        elif isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "reason" for target in node.targets
        ):
            yield from _texts(node.value)
        elif isinstance(node, ast.Tuple) and len(node.elts) in {2, 3}:
            yield from _outcome(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            for match in IN_SQL.finditer(node.value):
                yield node.lineno, match[1] or match[2]


def _called(node: ast.Call) -> Iterator[tuple[int, str]]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    for keyword in node.keywords:
        # what a log line says is for programs
        if keyword.arg == "reason" and name not in {"info", "warning", "error"}:
            yield from _texts(keyword.value)
    at = POSITIONS.get(name)
    if at is not None and len(node.args) > at:
        yield from _texts(node.args[at])
    if name == "_move" and len(node.args) > 2:
        yield from _texts(node.args[2])


def _outcome(node: ast.Tuple) -> Iterator[tuple[int, str]]:
    """(…, outcome, reason) as the inbox is closed with."""
    outcome, reason = node.elts[-2:]
    if isinstance(outcome, ast.Constant) and outcome.value in {"stale", "parked", "quarantined"}:
        yield from _texts(reason)


def _texts(node: ast.expr) -> Iterator[tuple[int, str]]:
    """The texts a value may be: a constant, either arm of a choice, the last of an ``or``."""
    match node:
        case ast.Constant(value=str(text)):
            yield node.lineno, text
        case ast.IfExp(body=body, orelse=orelse):
            yield from _texts(body)
            yield from _texts(orelse)
        case ast.BoolOp(values=values):
            for value in values:
                yield from _texts(value)
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
            yield node.lineno, text


def found() -> list[tuple[str, int, str]]:
    return [(shown(path), line, text) for path in modules(*PLACES) for line, text in reasons_of(path)]


def test_every_reason_that_is_written_has_a_chinese_name() -> None:
    nameless = [
        f"{path}:{line}: {text}" for path, line, text in found() if text not in REASONS and text != "item:"
    ]
    assert nameless == []


def test_the_search_finds_what_is_there() -> None:
    texts = {text for _, _, text in found()}
    assert {
        "recall_due", "reinstated", "routed", "worker_lost", "newer_version", "not_granted",
        "withdrawn_at_source", "asked_again", "unknown_text", "item:", "orphan", "version-conflict",
        "killed_worker", "no_department", "throttled", "abnormal_news", "content_conflict",
    } <= texts  # fmt: skip


def test_rules_that_adapters_name_have_names_too() -> None:
    rules = {
        element.value
        for path in modules("adapters")
        if shown(path) in {"adapters/records.py", "adapters/strict_json.py"}
        for node in ast.walk(tree(path))
        for element in _rules(node)
    }
    assert {"missing-field", "not-json", "wrong-shape"} <= rules
    assert sorted(rules - REASONS.keys()) == []


def _rules(node: ast.AST) -> Iterator[ast.Constant]:
    """(rule, Chinese sentence) pairs, and the rule of a BrokenRecord."""
    if isinstance(node, ast.Tuple) and len(node.elts) == 2:
        first, second = node.elts
        sentence = isinstance(second, ast.Constant) and re.search(r"[一-鿿]", str(second.value))
        if isinstance(first, ast.Constant) and sentence and CODE.fullmatch(str(first.value)):
            yield first
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "BrokenRecord":
        rule = node.args[1]
        if isinstance(rule, ast.Constant):
            yield rule


def test_problem_codes_of_the_wires_have_names() -> None:
    from adapters.problems import CODES
    from adapters.sms import aliyun, yunmas

    assert {code for _, code in CODES} | set(yunmas.REJECTIONS) | set(aliyun.REJECTIONS) <= ANSWERS.keys()


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("rule-broken: XK_JDRQ:late", "不合对方规则（rule-broken）：XK_JDRQ:late"),
        ("throttled", "要求稍后再发（throttled）"),
        ("status 502", "status 502"),
        (None, ""),
    ],
)
def test_an_answer_is_told_in_chinese_where_its_code_is_known(code, name) -> None:
    assert answer_name(code) == name


def test_reasons_that_carry_more_than_a_code() -> None:
    assert reason_name("item:X1") == "事项编码不在清单内（X1）"
    assert reason_name(note("已电话核实")) == "已电话核实"
