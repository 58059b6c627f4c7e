"""What counts as a message taken: a robot's own word, never a page or a redirection."""

import json

import pytest

from adapters.prefect_api.events import why_not_taken


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, ""),
        (204, ""),
        (200, '{"errcode": 0, "errmsg": "ok"}'),
        (200, '{"errcode": "0"}'),
        (200, '{"StatusCode": 0, "StatusMessage": "success"}'),
        (200, '{"code": 0, "msg": "success"}'),
        (200, '{"code": 200}'),
        (202, '"ok"'),
        (200, json.dumps({"errcode": 0, "more": "x" * 2000})[:1000]),
    ],
)
def test_a_message_that_was_taken(status, answer):
    assert why_not_taken(status, answer) is None


@pytest.mark.parametrize(
    ("status", "answer", "why"),
    [
        (302, "", "302"),
        (500, "{}", "500"),
        (404, "", "404"),
        (199, "", "199"),
        (200, "<!doctype html><title>登录</title>", "答复不是 JSON"),
        (200, "<p>" + "x" * 2000, "答复不是 JSON"),
        (200, '{"errcode": 93000, "errmsg": "invalid webhook url"}', "errcode 93000"),
        (200, '{"code": 19001, "msg": "param invalid"}', "code 19001"),
        (200, '{"StatusCode": 9499}', "StatusCode 9499"),
        (200, '{"errcode": "gone"}', "errcode gone"),
    ],
)
def test_a_message_that_was_not(status, answer, why):
    assert why_not_taken(status, answer) == why
