"""Limits that hold for all workers together, seen from the simulator."""

import asyncio
from dataclasses import replace
from datetime import datetime

from tasks.steps import admit_cases, check_parties, send_pushes, take_in_cases
from tests.tasks.records import FOOD, case, serial


def limited(world, text):
    """This world's services under these limits; a second worker has the same."""
    services = world.services
    return replace(services, settings=services.settings.model_copy(update={"call_limits": text}))


def arrivals(world):
    return sorted(
        datetime.fromisoformat(line["machine_at"]).timestamp()
        for line in world.stored("platform")
        if line["kind"] == "push"
    )


async def until_sent(world, services, expected, *, seconds=60):
    """Two workers send what they may, again and again."""
    for _ in range(seconds * 10):
        await asyncio.gather(send_pushes(services), send_pushes(replace(services, worker="other")))
        if len(world.stored("platform")) >= expected:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("never sent")


async def test_two_workers_together_keep_the_calls_a_second(world):
    await world.arrive(*(case(serial()) for _ in range(30)))
    await world.run(admit_cases)
    await until_sent(world, limited(world, "platform=15/s"), 30)
    times = arrivals(world)
    assert len(times) == 30
    # Slower is always allowed; a burst of one worker's calls would be over in a tenth of it.
    assert times[-1] - times[0] >= 0.8 * 29 / 15
    assert await world.column("SELECT DISTINCT attempts FROM effects WHERE channel = 'push'") == [1]


async def test_two_workers_together_keep_the_calls_at_once(world):
    await world.arrive(*(case(serial()) for _ in range(12)))
    await world.run(admit_cases)
    slow = {"match": {"path_regex": "^/v1/pushes"}, "do": {"kind": "late", "seconds": 0.3}}
    await world.faults("platform", slow)
    await until_sent(world, limited(world, "platform=3并发"), 12)
    times = arrivals(world)
    # A call that has come holds its place for 0.3 s: a fourth begins after the first has ended.
    assert all(later - first >= 0.25 for first, later in zip(times, times[3:], strict=False))


async def test_a_department_with_a_limit_keeps_no_other_waiting(world):
    await world.arrive(*(case(serial(), item=FOOD) for _ in range(8)))
    await world.run(admit_cases)
    targets = await world.column("SELECT DISTINCT target FROM effects ORDER BY target")
    assert len(targets) == 2
    services = limited(world, f"{targets[0]}=0.1/s")
    begun = asyncio.get_running_loop().time()
    await send_pushes(services)
    await send_pushes(services)
    slots = 1 + int((asyncio.get_running_loop().time() - begun) / 10)
    sent = await world.column("SELECT target FROM effects WHERE state = 'accepted'")
    assert sent.count(targets[1]) == 8
    assert 1 <= sent.count(targets[0]) <= slots
    assert (await send_pushes(services)).get("paced") == 1 or slots > 1


async def test_a_page_and_a_look_up_wait_for_their_slot_too(world):
    services = limited(world, "platform=4/s;credit=4/s")
    await world.arrive(case(serial()))
    await world.run(admit_cases)
    begun = asyncio.get_running_loop().time()
    for _ in range(5):
        await take_in_cases(services)
    assert asyncio.get_running_loop().time() - begun >= 0.9
    assert await check_parties(services) == {"checks": 1}
    assert await world.column("SELECT target FROM call_slots ORDER BY target") == ["credit", "platform"]


async def test_without_a_limit_no_slot_is_ever_taken(world):
    await world.arrive(case(serial()))
    await world.run(admit_cases, check_parties, send_pushes)
    assert len(world.stored("platform")) == 1
    assert await world.column("SELECT target FROM call_slots") == []
