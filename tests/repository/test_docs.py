"""Pages for people: generated ones in step, hand-written ones complete."""

import re

from models.domain.diagram import lifecycles
from models.domain.lifecycles.case import RESULT_CHINESE
from tests.repository.source import ROOT

GLOSSARY = ROOT / "docs" / "glossary.md"
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$")
WORDS = re.findall(
    r"\S+",
    """
    事项 审管联动事项清单 办件 审批事项 监管事项 受理 办结 行政相对人 许可 部门 科（股）室 联络员
    推送 联动单 认领 已阅 退回 分派 反馈 整改 督办 协调小组 信用查询 信用报送 信用记录 绿色通道
    容缺受理 告知承诺 案卷评查 对账 一件事 留痕
    """,
)


def rows() -> list[tuple[str, str, str]]:
    lines = GLOSSARY.read_text(encoding="utf-8").splitlines()
    found = [match.groups() for line in lines if (match := ROW.match(line))]
    return [(a.strip(), b.strip(), c.strip()) for a, b, c in found if a not in {"中文", "--"}]


def test_the_glossary_names_every_state_as_people_read_it() -> None:
    pairs = {(chinese, identifier) for chinese, identifier, _ in rows()}
    for lifecycle in lifecycles():
        for state, name in lifecycle.names.items():
            assert (name, f"{lifecycle.entity} {state}") in pairs


def test_the_glossary_knows_the_words_of_the_design() -> None:
    chinese = {word for word, _, _ in rows()}
    assert [word for word in WORDS if word not in chinese] == []
    text = GLOSSARY.read_text(encoding="utf-8")
    assert [name for name in RESULT_CHINESE.values() if name not in text] == []


def test_no_word_is_explained_twice() -> None:
    words = [word for word, _, _ in rows()]
    assert sorted({word for word in words if words.count(word) > 1}) == []


def test_every_decision_is_numbered_once_and_has_a_reason() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [page.name[:4] for page in pages]
    assert all(re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", page.name) for page in pages), pages
    assert len(set(numbers)) == len(numbers)


def test_the_licence_and_the_changes_are_there() -> None:
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in licence
    assert "TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION" in licence
    assert (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").startswith("# ")
