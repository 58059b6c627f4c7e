"""The city's corrections of 双公示 fields fit the table they correct."""

import pytest

from config.city import load_city
from models.domain.messages import ONE_TEXT, wrong_places
from models.domain.shuanggongshi_fields import CF_FIELDS, XK_FIELDS, corrected


@pytest.mark.parametrize(("kind", "fields"), [("xk", XK_FIELDS), ("cf", CF_FIELDS)])
def test_the_citys_corrections_fit(kind: str, fields: tuple) -> None:
    changes = load_city("yiyang").dictionaries.fields[kind]
    table = {field.code: field for field in corrected(fields, changes)}
    assert set(changes) <= set(table)
    for code, change in changes.items():
        assert table[code].length == change.get("length", table[code].length)


def test_the_citys_texts_have_a_value_for_every_place() -> None:
    texts = load_city("yiyang").templates
    assert texts["one"] == ONE_TEXT
    assert {key: wrong_places(text) for key, text in texts.items() if wrong_places(text)} == {}
