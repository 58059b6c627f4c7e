"""The files of departments and of the list, read. What joins two files is checked elsewhere."""

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from config.city_reading import Table
from config.city_types import (
    DOCUMENT_KINDS,
    LEVELS,
    MODES,
    REPORTERS,
    ROLES,
    SCOPE_ALWAYS,
    SCOPE_FIELDS,
    STAGES,
    Catalog,
    CatalogItem,
    Department,
    Document,
    Duty,
    Region,
    Section,
)

_LONGEST_OBSERVATION = 366
_LONGEST_REPLY = 60
_ITEM_CODE = re.compile(r"[0-9A-HJ-NPQRTUWXY]{18}[1-9][0-9A-Z]{12}")
_SUPERVISION_ITEM = re.compile(r"[0-9]{14}")
_REGION_DIGITS = {"city": 6, "county": 6, "township": 9}

Row = TypeVar("Row")


def keyed(rows: Iterable[Row], key: Callable[[Row], str], what: str, table: Table) -> dict[str, Row]:
    """The rows by key; a key that comes twice is noted, and its first row kept."""
    found: dict[str, Row] = {}
    for row in rows:
        code = key(row)
        if code and code in found:
            table.wrong(f"{what}“{code}”重复")
        found.setdefault(code, row)
    return found


def read_regions(table: Table) -> dict[str, Region]:
    """``[[region]]`` rows by code."""
    regions = []
    for row in table.rows("region"):
        region = Region(
            code=row.text("code"),
            name=row.text("name"),
            level=row.text("level", among=LEVELS),
            parent=row.text("parent", default=""),
            local=row.flag("local", default=False),
        )
        row.finish()
        if not re.fullmatch(rf"[0-9]{{{_REGION_DIGITS.get(region.level, 6)}}}", region.code):
            row.wrong("区划代码市、县为6位数字，乡镇为9位数字")
        regions.append(region)
    table.finish()
    return keyed(regions, lambda region: region.code, "区划代码", table)


def read_departments(table: Table) -> dict[str, Department]:
    """``[[department]]`` rows with their sections, by code."""
    departments = []
    for row in table.rows("department"):
        sections = []
        for line in row.rows("section", name="id"):
            sections.append(Section(id=line.text("id"), name=line.text("name")))
            line.finish()
        if not sections:
            row.wrong("至少要有一个科（股）室")
        departments.append(
            Department(
                code=row.text("code"),
                name=row.text("name"),
                short=row.text("short"),
                level=row.text("level", among=LEVELS),
                region=row.text("region"),
                unit=row.text("unit"),
                role=row.text("role", among=ROLES),
                successor=row.text("successor", default=""),
                sections=tuple(keyed(sections, lambda section: section.id, "科室", row).values()),
            )
        )
        row.finish()
    table.finish()
    return keyed(departments, lambda department: department.code, "部门代码", table)


def read_catalog(table: Table, sha256: str) -> Catalog:
    """The list: its version, its items with their duties, and the codes declared 不适用."""
    version = table.text("version")
    codes = table.texts("not_applicable", default=[])
    names = table.table("not_applicable_names")
    not_applicable = {code: names.text(code) for code in codes}
    names.finish()
    for code in codes:
        if not _ITEM_CODE.fullmatch(code):
            table.wrong(f"not_applicable 中“{code}”不是31位实施编码")
    items = [_item(row) for row in table.rows("item")]
    table.finish()
    return Catalog(version, sha256, keyed(items, lambda item: item.code, "事项编码", table), not_applicable)


def _item(row: Table) -> CatalogItem:
    paper = row.table("document")
    document = Document(
        kind=paper.text("kind", among=DOCUMENT_KINDS), title=paper.text("title"), number=paper.text("number")
    )
    paper.finish()
    item = CatalogItem(
        code=row.text("code"),
        name=row.text("name"),
        kind=row.text("kind"),
        approval_department=row.text("approval_department"),
        approval_section=row.text("approval_section"),
        go_live_at=row.moment("go_live_at"),
        mode=row.text("mode", among=MODES),
        stages=row.texts("stages", among=STAGES),
        instant=row.flag("instant", default=False),
        urgent=row.flag("urgent", default=False),
        observation_days=row.number("observation_days", low=1, high=_LONGEST_OBSERVATION),
        scope=row.texts("scope", among=SCOPE_FIELDS),
        reporter=row.text("reporter", among=REPORTERS),
        return_normal=row.flag("return_normal", default=False),
        document=document,
        duties=tuple(_duty(line) for line in row.rows("duty", name="name")),
        members=row.texts("members", default=[]),
    )
    row.finish()
    _check_item(row, item)
    return item


def _check_item(row: Table, item: CatalogItem) -> None:
    if not _ITEM_CODE.fullmatch(item.code):
        row.wrong("code 不是31位实施编码（18位实施主体＋1位行使层级＋12位基本编码）")
    if not item.stages:
        row.wrong("stages 至少要有一个环节")
    if item.instant and item.stages != ("completion",):
        row.wrong("即办件只有办结环节，stages 须是 completion")
    if not item.duties:
        row.wrong("没有监管事项（duty）：不需要联动的事项请列入 not_applicable")
    for name in SCOPE_ALWAYS:
        if name not in item.scope:
            row.wrong(f"scope 缺少必有的字段 {name}")


def _duty(row: Table) -> Duty:
    reply = row.text("reply", among=("none", "requested"), default="none")
    duty = Duty(
        supervision_item=row.text("supervision_item"),
        name=row.text("name"),
        role=row.text("role", among=("supervision", "enforcement")),
        department=row.text("department", default=""),
        unit=row.text("unit", default=""),
        level=row.text("level", among=LEVELS, default=""),
        section=row.text("section"),
        reply=reply,
        reply_days=row.number("reply_days", low=1, high=_LONGEST_REPLY) if reply == "requested" else 0,
    )
    row.finish()
    if not _SUPERVISION_ITEM.fullmatch(duty.supervision_item):
        row.wrong("supervision_item 不是14位监管事项目录编码")
    if not duty.department and not duty.unit:
        row.wrong("既没有指定部门（department），也没有责任单位（unit）")
    if duty.department and (duty.unit or duty.level):
        row.wrong("指定了部门（department），就不再写 unit 和 level")
    if duty.unit and not duty.level:
        row.wrong("写了 unit，还要写 level")
    return duty
