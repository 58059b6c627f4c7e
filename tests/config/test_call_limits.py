"""Limits as an operator writes them."""

import pytest
from pydantic_core import PydanticCustomError

from config.call_limits import CallLimit, call_limits

DEPARTMENT = "11430900PDY00001X6"


def test_systems_and_departments_are_told_apart():
    said = call_limits(f"platform=50/s,16并发; sms=5/s;credit = 4并发;{DEPARTMENT}=0.5/s;")
    assert said == {
        "platform": CallLimit(50, 16),
        "sms": CallLimit(5, None),
        "credit": CallLimit(None, 4),
        DEPARTMENT: CallLimit(0.5, None),
    }
    assert call_limits("") == {}


@pytest.mark.parametrize(
    "text",
    [
        "platform",
        "platform=",
        "platform=50",
        "platform=0/s",
        "platform=-1/s",
        "platform=0并发",
        "platform=1/s;platform=2/s",
        "nobody=1/s",
        f"{DEPARTMENT}=1/s,2并发",
        "platform=1e3/s",
    ],
)
def test_what_limits_nothing_or_nobody_is_refused(text):
    with pytest.raises(PydanticCustomError, match="应写作"):
        call_limits(text)
