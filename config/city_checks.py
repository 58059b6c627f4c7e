"""What joins a city's files: codes that must exist elsewhere, and codes that must be whole."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import combinations

from config.city_types import Catalog, CatalogItem, Department, Duty, Region, StatusTable

_USCC_SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_BODY_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_USCC_LENGTH = 18


def broken_credit_code(code: str) -> str | None:
    """Why this is no 统一社会信用代码 (GB 32100-2015, with GB 11714 inside), or None."""
    if len(code) != _USCC_LENGTH or any(sign not in _USCC_SIGNS for sign in code):
        return "不是18位统一社会信用代码"
    body = sum(int(sign, 36) * weight for sign, weight in zip(code[8:16], _BODY_WEIGHTS, strict=True))
    if code[16] != "0123456789X"[-body % 11]:
        return "内含组织机构代码的校验位不对（GB 11714）"
    total = sum(_USCC_SIGNS.index(s) * w for s, w in zip(code[:17], _USCC_WEIGHTS, strict=True))
    return None if code[17] == _USCC_SIGNS[-total % 31] else "校验位不对（GB 32100）"


def heirs(code: str, departments: Mapping[str, Department]) -> Department | None:
    """The department that holds the duty today: the end of the chain of successors.

    None for an unknown code, or a chain that leads nowhere or in a circle.
    """
    seen: set[str] = set()
    while code in departments and code not in seen:
        seen.add(code)
        if not departments[code].successor:
            return departments[code]
        code = departments[code].successor
    return None


def check_regions(regions: Mapping[str, Region]) -> Iterator[str]:
    """One city, and parents that exist and stand one level above."""
    if sum(region.level == "city" for region in regions.values()) != 1:
        yield "区划表须有且只有一个市级（city）区划"
    above = {"county": "city", "township": "county"}
    for region in regions.values():
        if region.level == "city":
            continue
        parent = regions.get(region.parent)
        if parent is None:
            yield f"区划 {region.code} {region.name}：上级区划“{region.parent}”不存在"
        elif parent.level != above.get(region.level):
            yield f"区划 {region.code} {region.name}：上级区划“{region.parent}”的层级不对"


def check_departments(departments: Mapping[str, Department], regions: Mapping[str, Region]) -> Iterator[str]:
    """Whole codes, known regions of the same level, successors that lead somewhere, one unit a region."""
    for department in departments.values():
        here = f"部门 {department.code} {department.name}"
        if why := broken_credit_code(department.code):
            yield f"{here}：{why}"
        region = regions.get(department.region)
        if region is None:
            yield f"{here}：区划“{department.region}”不存在"
        elif region.level != department.level:
            yield f"{here}：层级 {department.level} 与区划 {region.code} 的层级 {region.level} 不一致"
        if department.successor and department.successor not in departments:
            yield f"{here}：承接部门“{department.successor}”不存在"
        elif heirs(department.code, departments) is None and department.successor:
            yield f"{here}：承接部门的链条没有尽头"
    places = Counter((each.unit, each.region) for each in departments.values() if not each.successor)
    for (unit, place), count in places.items():
        if count > 1:
            yield f"单位 {unit} 在区划 {place} 有 {count} 个部门，无法确定由谁监管"


def check_catalog(
    catalog: Catalog, departments: Mapping[str, Department], statuses: StatusTable
) -> Iterator[str]:
    """Every code an item names exists, and somebody can answer for each of its duties."""
    kinds = {kind for _, kind in statuses.kinds}
    for item in catalog.items.values():
        here = f"事项 {item.code} {item.name}"
        yield from (f"{here}：{problem}" for problem in _item_problems(item, departments))
        if item.kind not in kinds:
            yield f"{here}：事项类型“{item.kind}”不在 status_codes.toml"
        if item.code in catalog.not_applicable:
            yield f"{here}：同时列入了 not_applicable"
        for code in item.members:
            if code not in catalog.items:
                yield f"{here}：一件事所含事项“{code}”不存在"
        yield from (f"{here}，{problem}" for problem in _duties_that_meet(item, departments))
        for duty in item.duties:
            for problem in _duty_problems(duty, departments):
                yield f"{here}，监管事项“{duty.name}”：{problem}"


def _item_problems(item: CatalogItem, departments: Mapping[str, Department]) -> Iterator[str]:
    approver = departments.get(item.approval_department)
    agency = item.code[:_USCC_LENGTH]
    if approver is None:
        yield f"审批部门“{item.approval_department}”不存在"
    elif approver.section(item.approval_section) is None:
        yield f"审批科室“{item.approval_section}”不在{approver.short}"
    if why := broken_credit_code(agency):
        yield f"实施编码的前18位{why}"
    elif approver and heirs(agency, departments) is not heirs(approver.code, departments):
        yield "实施编码的实施主体不是审批部门，也不由它承接"
    if item.stages and "completion" not in item.stages:
        yield "stages 缺少 completion（办结）：收到受理信息的部门都要收到办结结果"


def _duties_that_meet(item: CatalogItem, departments: Mapping[str, Department]) -> Iterator[str]:
    """Two duties of one item that would be one handover, or one push to one department, so one is lost."""
    for first, second in combinations(item.duties, 2):
        if first.supervision_item != second.supervision_item:
            continue
        both = f"监管事项 {first.supervision_item}“{first.name}”与“{second.name}”"
        if first.section == second.section:
            yield f"{both}的编码和科室都相同，只会留下一个"
        shared = {each.code for each in _answering(first, departments)}
        if met := [each.short for each in _answering(second, departments) if each.code in shared]:
            yield f"{both}的编码相同，又会分到同一部门（{met[0]}），只会推送一次"


def _answering(duty: Duty, departments: Mapping[str, Department]) -> list[Department]:
    """Every department the duty can be routed to, wherever the place of business."""
    if duty.department:
        heir = heirs(duty.department, departments)
        return [heir] if heir else []
    return [
        each
        for each in departments.values()
        if duty.unit and each.unit == duty.unit and each.level == duty.level and not each.successor
    ]


def _duty_problems(duty: Duty, departments: Mapping[str, Department]) -> Iterator[str]:
    if duty.department and duty.department not in departments:
        yield f"部门“{duty.department}”不存在"
        return
    candidates = _answering(duty, departments)
    if duty.unit and not duty.department and not candidates:
        yield f"没有 {duty.level} 级的 {duty.unit} 单位"
    for department in candidates:
        if department.section(duty.section) is None:
            yield f"{department.short}没有科室“{duty.section}”"
