"""Credit reports: granted licences (XK) and penalties (CF), against what the credit system holds."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from comparer.absences import missing
from comparer.cases import Case
from comparer.codes import plain
from comparer.evidence import Statement, Stored
from comparer.findings import Findings
from comparer.news import News

PARTY = ("XDR_MC", "XDR_LB", "XDR_SHXYM", "XDR_GSZC", "XDR_ZZJG", "XDR_SWDJ", "XDR_SYDW", "XDR_SHZZ")
PARTY_2 = ("FRDB", "FR_ZJLX", "FR_ZJHM", "XDR_ZJLX", "XDR_ZJHM", "WSH", "JDRQ", "NR")
XK = {f"XK_{n}" for n in (*PARTY, *PARTY_2)} | {
    f"XK_{n}"
    for n in ("XKWS", "XKLB", "XKZS", "XKBH", "YXQZ", "YXQZI", "XKJG", "XKJGDM", "ZT", "LYDW", "LYDWDM")
}
CF = {f"CF_{n}" for n in (*PARTY, *PARTY_2)} | {
    f"CF_{n}"
    for n in (
        "WFXW", "SY", "YJ", "CFLB", "NR_FK", "NR_WFFF", "NR_ZKDX", "YXQ", "GSJZQ", "CFJG", "CFJGDM",
        "SJLY", "SJLYDM",
    )
}  # fmt: skip
FIELDS = {"XK": XK | {"BZ"}, "CF": CF | {"BZ"}}


@dataclass(frozen=True)
class Owed:
    """One report that may be there. ``final`` are the forms its newest content may take, ``ever``
    those that may stand before; each is a set of fields with their values."""

    key: str
    must: bool
    final: list[dict[str, str]]
    ever: list[dict[str, str]]


def owed_reports(cases: dict[str, Case], penalties: dict[str, News]) -> dict[str, list[Owed]]:
    """The reports owed or allowed, by kind and document number."""
    owed: dict[str, list[Owed]] = defaultdict(list)
    for case in cases.values():
        licence = case.item.get("kind") == "01" and case.item.get("reporter") == "us"
        if case.fate not in {"live", "mixed"} or not licence:
            continue
        granted = [r for r in case.of_stage("completion") if _granted(r.record)]
        if not granted:
            continue
        newest = max(granted, key=lambda r: r.version)
        final = newest.sure and newest is case.newest and case.fate == "live"
        ends = newest.record.get("licence_action") in {"revoke", "cancel"}
        forms = [_licence_says(r.record) for r in granted]
        last = [_licence_says(newest.record)] if final else forms
        for number in {form["XK_WSH"] for form in forms}:
            must = final and not ends and number == last[0]["XK_WSH"]
            owed[f"XK|{number}"].append(Owed(case.case_no, must, last, forms))
    for one in penalties.values():
        for report in _of_penalty(one):
            owed[f"CF|{report.ever[0].get('CF_WSH', '')}"].append(report)
    return owed


def _of_penalty(one: News) -> list[Owed]:
    """The report one penalty owes, under each document number its versions named."""
    records = [s.record for s in one.versions if s.record["kind"] == "penalty" and s.record.get("penalty")]
    about = one.case
    ours = about is None or (about.fate in {"live", "stock"} and about.item.get("reporter") == "us")
    if not records or not ours:
        return []
    live = about is not None and about.fate == "live"
    latest = one.newest in records
    forms = [_penalty_says(record["penalty"]) for record in records]
    last = _penalty_says(one.newest["penalty"]) if latest else {}
    reports = []
    for number in {form.get("CF_WSH", "") for form in forms}:
        mine = [form for form in forms if form.get("CF_WSH", "") == number]
        newest = latest and last.get("CF_WSH", "") == number
        reports.append(Owed(one.number, one.sure and live and newest, [last] if newest else mine, mine))
    return reports


def compare_reports(
    owed: dict[str, list[Owed]], held: list[Stored], said: Statement, found: Findings
) -> None:
    """Counts reports that are absent, not owed, or of other content."""
    stored: dict[str, list[Stored]] = defaultdict(list)
    for effect in held:
        content = effect.content if isinstance(effect.content, dict) else {}
        kind = effect.business_key.split("|", 1)[0]
        number = str(content.get(f"{kind}_WSH") or "")
        stored[f"{kind}|{number}"].append(effect)
        if set(content) - FIELDS.get(kind, set()):
            found.add("unexpected", "credit_report", f"{kind}|{number}", "报送了双公示以外的字段")
        if not any(_fits(content, form) for one in owed.get(f"{kind}|{number}", []) for form in one.ever):
            found.add("unexpected", "credit_report", f"{kind}|{number}", "不应报送,或内容与决定不符")
    for key, reports in owed.items():
        for report in reports:
            if not report.must:
                continue
            last: dict[str, Stored] = {}
            for effect in stored.get(key, []):
                newest = last.get(effect.business_key)
                if newest is None or newest.content_version <= effect.content_version:
                    last[effect.business_key] = effect
            if any(_fits(effect.content, form) for effect in last.values() for form in report.final):
                continue
            rows = [
                row
                for row in said.effects
                if row.get("channel") == "credit_report"
                and str(row.get("business_key")).startswith((f"{key}|", f"{key}{report.key}|"))
                and row.get("own_id") not in {effect.own_id for effect in last.values()}
            ]
            missing(found, rows, "credit_report", f"{key} ({report.key})", "应报送信用系统而对方没有")


def _granted(record: dict[str, Any]) -> bool:
    return record.get("status") == "90" and str(record.get("result")) == "40"


def _licence_says(record: dict[str, Any]) -> dict[str, str]:
    """The fields of 双公示 that one decision fixes; what a source lacks is left open."""
    party, document = record.get("party") or {}, record.get("document") or {}
    natural = party.get("kind") == "自然人"
    says = {
        "XK_WSH": document.get("number") or record.get("licence_number") or record.get("case_no"),
        "XK_XDR_MC": party.get("name"),
        "XK_XDR_LB": party.get("kind"),
        ("XK_XDR_ZJHM" if natural else "XK_XDR_SHXYM"): party.get("id_number"),
        "XK_XKWS": document.get("title"),
        "XK_XKBH": record.get("licence_number"),
        "XK_JDRQ": record.get("decided_on"),
        "XK_YXQZ": record.get("valid_from"),
        "XK_YXQZI": record.get("valid_to"),
    }
    return {"XK_WSH": "", **{name: str(value) for name, value in says.items() if value}}


def _penalty_says(penalty: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in penalty.items() if value not in (None, "")}


def _fits(content: Any, says: dict[str, str]) -> bool:
    """True when the report says what the decision says; dates may be written with slashes."""
    if not isinstance(content, dict):
        return False
    return all(_same(name, content.get(name), value) for name, value in says.items() if value)


def _same(name: str, held: Any, said: str) -> bool:
    if name.endswith(("SHXYM", "ZJHM")):
        return plain(held) == plain(said)
    return str(held or "").replace("/", "-") == said.replace("/", "-")
