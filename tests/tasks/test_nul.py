"""U+0000 on a real socket: in an answer it decides nothing, in a record it stops nothing but the record."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from adapters.exchange import Exchange
from adapters.platform.client import PlatformClient
from adapters.signing import make_signer
from adapters.transport import Transport
from tasks.steps import admit_cases, attempted, send_pushes, take_in_cases
from tests.tasks.records import case, serial
from tests.tasks.running import SECRET


@asynccontextmanager
async def changed_on_the_way(world, change):
    """The platform behind a proxy: ``change(request line, answer)`` is the answer as it arrives."""

    async def pass_on(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)
        there, back = await asyncio.open_connection("127.0.0.1", world.outside.ports["platform"])
        back.write(head[:-2] + b"connection: close\r\n\r\n" + await reader.readexactly(length))
        status, _, rest = (await there.read()).partition(b"\r\n")
        body = change(head.partition(b"\r\n")[0].decode(), json.loads(rest.partition(b"\r\n\r\n")[2]))
        raw = json.dumps(body).encode()
        told = f"content-type: application/json\r\ncontent-length: {len(raw)}\r\nconnection: close\r\n\r\n"
        writer.write(status + b"\r\n" + told.encode() + raw)
        await writer.drain()
        writer.close()
        back.close()

    async with await asyncio.start_server(pass_on, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        signer = make_signer("rfc9421-sha256", key_id="demo", secret=SECRET.encode())
        transport = Transport(f"http://127.0.0.1:{port}", target="platform")
        async with Exchange(transport, signer, deadline_s=2) as exchange:
            yield replace(world.services, platform=PlatformClient(exchange))


async def test_a_receipt_with_nul_leaves_its_own_push_in_doubt_and_no_other(world):
    await world.arrive(*(case(serial()) for _ in range(5)))
    await world.run(admit_cases)
    told = []

    def spoil(_, answer):
        told.append(answer["receipt"]["number"])
        if len(told) == 1:
            answer["receipt"]["number"] += "\0"
        return answer

    async with changed_on_the_way(world, spoil) as services:
        await attempted(send_pushes, services)
    states = await world.rows("SELECT state, count(*) FROM effects WHERE channel = 'push' GROUP BY 1")
    assert {row["state"]: row["count"] for row in states} == {"accepted": 4, "unknown": 1}
    await world.wait_is_over()
    await world.run(send_pushes)
    assert await world.column("SELECT DISTINCT state FROM effects WHERE channel = 'push'") == ["accepted"]
    assert len(world.stored("platform")) == 5


@pytest.mark.parametrize("what", ["a record", "the cursor"])
async def test_a_page_with_nul(world, what):
    records = [case(serial()) for _ in range(3)]
    if what == "a record":
        records[1]["content"] = "行\0"

    def page(request, answer):
        if not request.startswith("GET /v1/cases/changes"):
            return answer
        cursor = "c1\0" if what == "the cursor" else "c1"
        return {"items": [] if "cursor=c1" in request else records, "next_cursor": cursor, "has_more": False}

    async with changed_on_the_way(world, page) as services:
        counts = await attempted(take_in_cases, services)
    await world.run(admit_cases)
    stopped = await world.rows("SELECT kind, record_key, rule FROM quarantine")
    if what == "a record":
        assert counts["new"] == 3
        assert [(row["kind"], row["record_key"], row["rule"]) for row in stopped] == [
            ("case", records[1]["case_no"], "control-character")
        ]
        assert await world.value("SELECT count(*) FROM cases") == 2
    else:
        assert counts == {"unreadable": 1}
        assert [(row["kind"], row["rule"]) for row in stopped] == [("answer", "control-character")]
        assert await world.value("SELECT count(*) FROM cases") == 0
