import hashlib
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.ledger.shrinking import DICTIONARY, as_it_was, smaller

RECORD = json.dumps(
    {
        "case_no": "11430923PDY000263G4001900002000202603240000001",
        "data_version": 1,
        "operation": "i",
        "secrecy": "none",
        "place_of_business": {"region": "430923102", "address": "湖南省益阳市梅城镇拟兴大道218号"},
        "item_name": "食品经营许可（安化县）",
        "party": {"name": "益阳市拟桃鸣教育咨询有限公司", "kind": "法人及非法人组织"},
    },
    ensure_ascii=False,
    separators=(",", ":"),
).encode()


@given(st.binary(max_size=5000) | st.text().map(str.encode))
def test_what_comes_out_is_what_went_in(content):
    assert as_it_was(smaller(content)) == content


def test_a_record_takes_less_than_half():
    assert len(smaller(RECORD)) < len(RECORD) / 2


def test_the_dictionary_is_a_part_of_the_format():
    # Whoever changes it can open nothing that was sealed before.
    known = "5f3e4a784e0e67cf16d1310144878788493df642c73aab02ff8761ae25cf5e35"
    assert hashlib.sha256(DICTIONARY).hexdigest() == known


def test_what_was_cut_is_not_taken_for_whole():
    with pytest.raises(zlib.error):
        as_it_was(b"\xff" + smaller(RECORD))
