"""The files of words and rules, read: source codes, texts, publication, reporters, dictionaries."""

from datetime import date
from string import Formatter

from config.city_files import keyed
from config.city_reading import Table
from config.city_types import EVENTS, REPORTERS, Advice, Dictionaries, Publication, Reporter, StatusTable

_TEMPLATES_NEEDED = ("one", "digest")
_VOCABULARY = ("kinds", "results", "handlings", "rectifications", "measures")
_NEEDS = ("all", "optional", "organization", "legal", "natural", "fine", "confiscation", "licence")
_FOREVER = date(2099, 12, 31)
_MOST_MONTHS = 120
_LONGEST_FIELD = 10_000


def read_statuses(table: Table) -> StatusTable:
    """The sources' tables of status, result and kind."""
    events: dict[tuple[str, str, str], str] = {}
    names: dict[tuple[str, str, str], str] = {}
    for row in table.rows("status"):
        key = (row.text("source"), row.text("code"), row.text("result", default=""))
        if key in events:
            row.wrong(f"来源“{key[0]}”的状态 {key[1]}＋结果“{key[2]}”重复")
        events.setdefault(key, row.text("event", among=EVENTS))
        names.setdefault(key, row.text("name"))
        row.finish()
    kinds: dict[tuple[str, str], bool] = {}
    for row in table.rows("kind"):
        kind = (row.text("source"), row.text("code"))
        row.text("name")
        if kind in kinds:
            row.wrong(f"来源“{kind[0]}”的事项类型 {kind[1]} 重复")
        kinds.setdefault(kind, row.flag("licence", default=False))
        row.finish()
    table.finish()
    return StatusTable(events, kinds, names)


def read_templates(table: Table) -> dict[str, str]:
    """The texts by key. A text has only the declared places, and ends with its reference."""
    places = table.texts("placeholders")
    texts = []
    for row in table.rows("template", name="key"):
        key, text = row.text("key"), row.text("text")
        row.text("name")
        row.finish()
        texts.append((key, text))
        try:
            used = [name for _, name, _, _ in Formatter().parse(text) if name is not None]
        except ValueError:
            row.wrong("text 的花括号不成对")
            continue
        for name in used:
            if name not in places:
                row.wrong(f"text 中的占位 {{{name}}} 不在 placeholders 之列")
        if not text.endswith("{reference}"):
            row.wrong("text 须以 {reference} 结尾")
    for key in _TEMPLATES_NEEDED:
        if key not in dict(texts):
            table.wrong(f"缺少短信模板 {key}")
    table.finish()
    return {key: pair[1] for key, pair in keyed(texts, lambda pair: pair[0], "短信模板", table).items()}


def read_publications(table: Table) -> tuple[Publication, ...]:
    """The dated rows of how long a penalty is published. The days of this file are read elsewhere."""
    rows = []
    for row in table.rows("publication", name="basis"):
        begins, ends = row.day("from"), row.day("to", optional=True)
        window = Publication(
            begins=begins or date.min,
            ends=ends,
            severity=row.text("severity", among=("minor", "general", "serious", "safety")),
            min_months=row.number("min_months", low=0, high=_MOST_MONTHS),
            max_months=row.number("max_months", low=0, high=_MOST_MONTHS),
            basis=row.text("basis"),
        )
        row.finish()
        if begins and ends and ends < begins:
            row.wrong("to 早于 from")
        if window.max_months < window.min_months:
            row.wrong("max_months 小于 min_months")
        rows.append(window)
    return tuple(rows)


def read_reporters(table: Table) -> dict[str, Reporter]:
    """Who reports each record type, by record type."""
    rows = []
    for row in table.rows("reporter", name="record"):
        rows.append(
            Reporter(
                record=row.text("record"),
                name=row.text("name"),
                reporter=row.text("reporter", among=REPORTERS),
                verify_days=row.number("verify_days", low=1, high=_MOST_MONTHS),
                basis=row.text("basis"),
            )
        )
        row.finish()
    table.finish()
    found = keyed(rows, lambda row: row.record, "记录类型", table)
    for record in ("XK", "CF"):
        if record not in found:
            table.wrong(f"没有说明 {record} 由谁报送")
    return found


def read_dictionaries(table: Table) -> Dictionaries:
    """Vocabulary, advice of grades, measures, and the corrections of 双公示 fields."""
    words = table.table("feedback")
    feedback = {key: words.texts(key) for key in (*_VOCABULARY, "normal_results", "normal_handlings")}
    words.finish()
    lists = table.table("enumerations")
    enumerations = {key: lists.texts(key) for key in lists.values}
    advice = []
    for row in table.rows("advice", name="grade"):
        advice.append(
            Advice(
                grade=row.text("grade", among=("good", "ordinary", "bad")),
                name=row.text("name"),
                advice=row.texts("advice"),
                restricted=row.texts("restricted"),
                basis=row.text("basis"),
            )
        )
        row.finish()
    measures = []
    for row in table.rows("measure"):
        measures.append((row.text("code"), row.text("basis")))
        row.text("name")
        row.finish()
    found = Dictionaries(
        feedback=feedback,
        enumerations=enumerations,
        id_types=table.texts("id_types"),
        long_term_date=table.day("long_term_date") or _FOREVER,
        advice=keyed(advice, lambda row: row.grade, "信用等级", table),
        measures=dict(keyed(measures, lambda row: row[0], "惩戒激励措施", table).values()),
        fields={kind: _fields(kind, table, enumerations) for kind in ("xk", "cf")},
    )
    table.finish()
    return found


def _fields(
    kind: str, table: Table, enumerations: dict[str, tuple[str, ...]]
) -> dict[str, dict[str, object]]:
    fields: dict[str, dict[str, object]] = {}
    for row in table.rows(kind, name="field"):
        code = row.text("field")
        row.text("name")
        row.text("need", among=_NEEDS)
        row.text("evidence", among=("S", "R"))
        form = row.text("format", among=("text", "date", "amount"))
        length = row.number("length", low=1, high=_LONGEST_FIELD)
        choices = row.text("choices", among=tuple(enumerations), default="")
        row.finish()
        if code in fields:
            row.wrong(f"字段“{code}”重复")
        change: dict[str, object] = {"length": length} if form == "text" else {}
        if choices:
            change["choices"] = enumerations.get(choices, ())
        fields[code] = change
    return fields
