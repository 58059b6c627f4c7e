"""People are told once of each new matter: by Prefect's event feed, or by ourselves while Prefect is away."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from config.settings import Settings
from tasks.alerting import Alerter
from tests.tasks.records import NOW, UNKNOWN, case, granted, party, serial

PUSHES = {"method": "POST", "path_regex": "^/v1/pushes$"}


class Hook:
    """A robot that takes messages on loopback."""

    def __init__(self):
        self.said, self.status, self.answer_body = [], 200, b""

    async def answer(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.splitlines()
            if line.lower().startswith(b"content-length")
        )
        body = json.loads(await reader.readexactly(length))
        self.path = head.split()[1].decode()
        if self.status < 400:
            self.said.append(body["text"]["content"])
        length = len(self.answer_body)
        head = f"HTTP/1.1 {self.status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + self.answer_body)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def robot():
    hook = Hook()
    server = await asyncio.start_server(hook.answer, "127.0.0.1", 0)
    hook.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/send?key=made-up"
    async with server:
        yield hook


def alerter(world, away_s=120.0, **settings):
    changed = Settings(**(world.settings | settings))
    return Alerter(replace(world.services, settings=changed), away_s=away_s)


async def later(world, seconds):
    """What was asked for was asked for so much earlier."""
    await world.change("UPDATE alert_asks SET asked_at = asked_at - make_interval(secs => %s)", seconds)


@pytest.fixture
async def incident(world):
    """Two records of an item nobody knows: one incident."""
    numbers = [serial(), serial()]
    await world.arrive(*(case(number, item=UNKNOWN) for number in numbers))
    await world.run()
    return numbers


async def test_without_prefect_each_matter_is_told_once(world, incident):
    async with robot() as hook:
        voice = alerter(world, alert_webhook_url=hook.url)
        assert await voice.speak() == 1
        assert await voice.speak() == 0
        assert await alerter(world, alert_webhook_url=hook.url).speak() == 0  # after a restart
        (said,) = hook.said
        assert "事项编码不在清单内" in said
        assert hook.path == "/send?key=made-up"
        for number in incident:
            about = party(number)
            assert [about[k] for k in ("name", "phone", "id_number", "address") if about[k] in said] == []


async def test_a_robot_that_is_away_or_refuses_is_asked_again(world, incident):
    assert await alerter(world, alert_webhook_url="http://127.0.0.1:9/x").speak() == 0
    async with robot() as hook:
        voice = alerter(world, alert_webhook_url=hook.url)
        await later(world, 60)
        hook.status = 500
        assert await voice.speak() == 0
        hook.status = 200
        for wait in (60, 61):  # this time it waits twice as long
            assert await voice.speak() == 0
            assert hook.said == []
            await later(world, wait)
        assert await voice.speak() == 1


async def test_a_robot_that_says_200_and_means_no_is_asked_again(world, incident):
    async with robot() as hook:
        voice = alerter(world, alert_webhook_url=hook.url)
        hook.answer_body = b'{"errcode": 93000, "errmsg": "invalid webhook url"}'
        assert await voice.speak() == 0
        await later(world, 60)
        hook.answer_body = b'{"errcode": 0}'
        assert await voice.speak() == 1


async def test_the_waiting_grows_to_an_hour_and_no_further(world, incident):
    voice = alerter(world, alert_webhook_url="http://127.0.0.1:9/x")
    for tries in range(1, 12):
        assert await voice.speak() == 0
        assert await world.value("SELECT tries FROM alert_asks") == tries
        due = min(60 * 2 ** (tries - 1), 3600)
        await later(world, due - 5)
        assert await voice.speak() == 0
        assert await world.value("SELECT tries FROM alert_asks") == tries
        await later(world, 5)


async def test_what_is_overdue_beyond_the_limit_is_told_once_a_day(world):
    no = {"match": PUSHES, "do": {"kind": "status", "status": 422, "code": "rule-broken"}}
    await world.faults("platform", no)
    await world.arrive(*(granted(serial(), version=1) for _ in range(2)))
    await world.run()
    async with robot() as hook:
        voice = alerter(world, alert_webhook_url=hook.url)
        assert await voice.speak() == 0
        for day in (10, 11):
            await world.at(NOW + timedelta(days=day))
            assert await alerter(world, alert_webhook_url=hook.url, alert_overdue_limit="2").speak() == 0
            assert await voice.speak() == 1
            assert await voice.speak() == 0
        assert len(hook.said) == 2
        assert all("2 项已逾期" in said for said in hook.said)


async def test_prefect_away_for_long_is_itself_told_once_and_the_rest_goes_on(world, incident):
    async with robot() as hook:
        away = "http://127.0.0.1:9/api"
        voice = alerter(world, away_s=0.05, alert_webhook_url=hook.url, prefect_api_url=away)
        assert await voice.speak() == 0  # it may be back at once
        await asyncio.sleep(0.1)
        assert await voice.speak() == 1
        assert await voice.speak() == 0
        assert [("Prefect" in said) for said in hook.said] == [True, False]
