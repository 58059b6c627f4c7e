"""Questions: asked again for a moment, never believed in a shape they do not have, the bytes kept."""

import json
import time

import pytest

from adapters.exchange import PAGE_LIMIT
from adapters.platform.client import PlatformClient
from adapters.receipts import stored_rows
from adapters.transport import KEPT_BYTES
from models.domain.errors import NotDone, Throttled, Unreadable

PROBLEM = "application/problem+json"
PAGE = {"items": [{"case_no": "A-1"}], "next_cursor": "c1", "has_more": True}
STORED = {
    "own_id": "PS1",
    "business_key": "A-1|acceptance|D|1",
    "content_sha256": "a" * 64,
    "receipt": {"number": "TS1", "at": "2026-11-23T10:00:00+08:00", "account": "L1"},
}


def answering(*answers):
    """Answers one after another, the last for ever; a string misbehaves."""

    async def do(connection, request):
        number = do.count
        do.count += 1
        answer = answers[min(number, len(answers) - 1)]
        if isinstance(answer, str):
            done = getattr(connection, answer)()
            if done is not None:
                await done
        else:
            await connection.answer(answer[0], **answer[1])

    do.count = 0
    return do


async def test_a_page_and_how_it_is_asked_for(talking):
    async with talking(answering((PAGE, {}))) as (exchange, server):
        client = PlatformClient(exchange)
        page = await client.changed_cases(None, limit=50)
        await client.changed_feedback("a/b=&", limit=7)
        await client.effects("2026-11-23", "e5", kind="push")
    assert [item.value for item in page.items] == PAGE["items"]
    assert page.items[0].raw == b'{"case_no": "A-1"}'
    assert (page.next_cursor, page.has_more) == ("c1", True)
    assert [request.target for request in server.requests] == [
        "/v1/cases/changes?limit=50",
        "/v1/feedback/changes?limit=7&cursor=a%2Fb%3D%26",
        "/v1/effects?day=2026-11-23&kind=push&limit=500&cursor=e5",
    ]
    assert all(request.method == "GET" and not request.body for request in server.requests)


async def test_a_page_too_large_is_asked_for_in_smaller_pieces(talking):
    huge = (b" " * (PAGE_LIMIT + 1), {})
    async with talking(answering(huge, huge, (PAGE, {}))) as (exchange, server):
        page = await PlatformClient(exchange).changed_cases("c0", limit=200)
    assert page.next_cursor == "c1"
    assert [request.target for request in server.requests] == [
        f"/v1/cases/changes?limit={limit}&cursor=c0" for limit in (200, 25, 3)
    ]


async def test_one_record_too_large_is_unreadable(talking):
    async with talking(answering((b" " * (PAGE_LIMIT + 1), {}))) as (exchange, server):
        with pytest.raises(Unreadable) as broken:
            await PlatformClient(exchange).changed_cases("c0", limit=2)
    assert broken.value.rule == "too-large"
    assert len(server.requests) == 2


async def test_a_question_is_asked_again_for_a_moment(talking):
    busy = (b"busy", {"status": 503, "kind": "text/html"})
    async with talking(answering("close", busy, (PAGE, {}))) as (exchange, server):
        assert (await PlatformClient(exchange).changed_cases(None)).next_cursor == "c1"
        assert len(server.requests) == 3
    nonces = {request.headers["signature-input"] for request in server.requests}
    assert len(nonces) == 3


@pytest.mark.parametrize("answer", ["close", "reset", "half", (b"", {"status": 502}), (b"", {"status": 401})])
async def test_but_not_for_ever(talking, answer):
    async with talking(answering(answer)) as (exchange, server):
        with pytest.raises(NotDone):
            await PlatformClient(exchange).changed_cases(None)
        assert len(server.requests) == 3


async def test_and_within_one_deadline(talking):
    async with talking(answering("hang"), deadline_s=0.5) as (exchange, _):
        started = time.monotonic()
        with pytest.raises(NotDone):
            await PlatformClient(exchange).changed_cases(None)
        assert time.monotonic() - started < 1.2


@pytest.mark.parametrize("kind", ["text/html", PROBLEM])
async def test_who_asks_to_wait_is_not_asked_again(talking, kind):
    body = {"code": "throttled", "status": 429}
    async with talking(answering((body, {"status": 429, "kind": kind, "retry_after": "9"}))) as (
        exchange,
        server,
    ):
        with pytest.raises(Throttled) as caught:
            await PlatformClient(exchange).changed_cases(None)
        assert caught.value.retry_after == 9.0
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("body", "how", "rule"),
    [
        (b"<html>log in</html>", {"kind": "text/html"}, "not-json"),
        (json.dumps(PAGE).encode()[:30], {}, "not-json"),
        (b'{"x":NaN,' + json.dumps(PAGE).encode()[1:], {}, "not-json"),
        ('{"备注":"旧"'.encode("gbk") + b"," + json.dumps(PAGE).encode()[1:], {}, "not-json"),
        ({"items": [], "has_more": False}, {}, "wrong-shape"),
        ({"items": [], "has_more": True, "next_cursor": "c\0"}, {}, "control-character"),
        ({"items": [], "has_more": 0, "next_cursor": "c"}, {}, "wrong-shape"),
        ({"items": [], "has_more": False, "next_cursor": "c" * 2000}, {}, "wrong-shape"),
        ({"items": [None] * 1000, "has_more": False, "next_cursor": "c"}, {}, "too-many-items"),
        (b"x" * 17_000_000, {}, "too-large"),
        (PAGE, {"content_encoding": "gzip"}, "content-encoding"),
        (b"", {"status": 302, "location": "/"}, "status 302"),
        (b"no", {"status": 404}, "status 404"),
        ({"code": "malformed"}, {"status": 400, "kind": PROBLEM}, "status 400 malformed"),
    ],
)
async def test_an_answer_of_another_shape_is_kept(talking, body, how, rule):
    async with talking(answering((body, how))) as (exchange, server):
        with pytest.raises(Unreadable) as caught:
            await PlatformClient(exchange).changed_cases(None, limit=1)
        assert len(server.requests) == 1
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert caught.value.rule == rule
    assert caught.value.raw == sent[:KEPT_BYTES]


async def test_a_broken_record_spoils_no_page(talking):
    items = b'{"case_no":"1"},{"case_no":"\\ud800"},{"case_no":"3"}'
    body = b'{"items":[' + items + b'],"next_cursor":"c","has_more":false}'
    async with talking(answering((body, {}))) as (exchange, _):
        page = await PlatformClient(exchange).changed_cases(None)
    assert [item.fault for item in page.items] == ["", "not-json", ""]
    assert page.items[1].raw == b'{"case_no":"\\ud800"}'


async def test_what_they_hold(talking):
    async with talking(answering((STORED, {}))) as (exchange, server):
        found = await PlatformClient(exchange).find("recall", "PS1")
    assert server.requests[0].target == "/v1/recalls/PS1"
    assert (found.own_id, found.content_sha256, found.receipt.number) == ("PS1", "a" * 64, "TS1")


async def test_nothing_there_only_by_their_documented_word(talking):
    missing = ({"code": "not-found", "status": 404}, {"status": 404, "kind": PROBLEM})
    async with talking(answering(missing)) as (exchange, _):
        assert await PlatformClient(exchange).find("push", "PS1") is None
    for body, kind in ((b"Not Found", "text/html"), ({"code": "not-found"}, "application/json")):
        async with talking(answering((body, {"status": 404, "kind": kind}))) as (exchange, _):
            with pytest.raises(Unreadable):
                await PlatformClient(exchange).find("push", "PS1")


async def test_an_answer_about_something_else_is_none(talking):
    async with talking(answering((STORED | {"own_id": "PS2"}, {}))) as (exchange, _):
        with pytest.raises(Unreadable):
            await PlatformClient(exchange).find("push", "PS1")
    async with talking(answering(({"day": "2026-11-22", "rows": []}, {}))) as (exchange, _):
        with pytest.raises(Unreadable):
            await PlatformClient(exchange).counts("2026-11-23")


async def test_an_id_cannot_leave_its_segment(talking):
    async with talking(answering((STORED | {"own_id": "../x?y"}, {}))) as (exchange, server):
        await PlatformClient(exchange).find("push", "../x?y")
    assert server.requests[0].target == "/v1/pushes/..%2Fx%3Fy"


async def test_counts(talking):
    row = {"kind": "push", "department": "D", "stage": "acceptance", "count": 2, "digest": "b" * 64}
    async with talking(answering(({"day": "2026-11-23", "rows": [row]}, {}))) as (exchange, _):
        rows = await PlatformClient(exchange).counts("2026-11-23")
    assert [(r.kind, r.department, r.stage, r.count, r.digest) for r in rows] == [tuple(row.values())]


async def test_a_count_that_no_receiver_can_mean_is_not_read(talking):
    row = {"kind": "push", "department": "D", "stage": "acceptance", "count": 10**9 + 1, "digest": "b" * 64}
    async with talking(answering(({"day": "2026-11-23", "rows": [row]}, {}))) as (exchange, _):
        with pytest.raises(Unreadable):
            await PlatformClient(exchange).counts("2026-11-23")


async def test_what_says_nul_is_no_answer(talking):
    receipt = STORED["receipt"] | {"number": "TS1\0"}
    async with talking(answering((STORED | {"receipt": receipt}, {}))) as (exchange, _):
        with pytest.raises(Unreadable) as caught:
            await PlatformClient(exchange).find("push", "PS1")
    assert caught.value.rule == "control-character"
    row = {"own_id": "PS1", "kind": "push", "business_key": "A\0", "content_sha256": "a" * 64}
    page = {"items": [row], "next_cursor": "c", "has_more": False}
    async with talking(answering((page, {}))) as (exchange, _):
        listed = await PlatformClient(exchange).effects("2026-11-23", None)
        with pytest.raises(Unreadable) as caught:
            stored_rows(listed, "platform")
    assert caught.value.rule == "control-character"
