"""Two batches of a line in flight: never three, nothing left behind, nobody left running."""

import asyncio
import contextlib
from collections import Counter

import pytest

from tasks.sending.overlapping import send_in_turn, send_overlapping
from tasks.sending.values import Sent


class Line:
    """Batches that are due; each is taken, stays in flight until it is let go, and may leave more behind."""

    def __init__(self, *batches, fails=()):
        self.due, self.fails = list(batches), fails
        self.flying, self.most, self.leases = 0, 0, 0
        self.ended: list[str] = []
        self.two_are_flying = asyncio.Event()

    async def send(self, taken):
        self.leases += 1
        await asyncio.sleep(0)
        if not self.due:
            return Sent()
        name, *behind = self.due.pop(0)
        taken()
        self.flying += 1
        self.most = max(self.most, self.flying)
        if self.flying > 1:
            self.two_are_flying.set()
        try:
            for _ in range(5):
                await asyncio.sleep(0)
            if name in self.fails:
                raise RuntimeError(name)
            self.due += behind
            self.ended.append(name)
            return Sent(Counter(accepted=1))
        finally:
            self.flying -= 1


async def test_the_next_one_begins_while_one_is_in_flight_and_no_third():
    line, noted = Line("a", "b", "c", "d", "e"), []
    await send_overlapping(line.send, lambda sent: noted.append(sent.total), most=100)
    assert line.ended == ["a", "b", "c", "d", "e"]
    assert sum(noted) == 5
    assert (line.most, line.flying) == (2, 0)


async def test_what_one_left_behind_is_sent_too():
    line = Line(["a", "b"])  # b is due only once a has ended, and nothing was due beside a
    await send_overlapping(line.send, lambda _: None, most=100)
    assert line.ended == ["a", "b"]


async def test_at_rest_it_asks_once():
    line = Line()
    await send_overlapping(line.send, lambda _: None, most=100)
    assert line.leases == 1


async def test_in_turn_is_one_at_a_time():
    line = Line("a", "b", "c")
    await send_in_turn(line.send, lambda _: None, most=100)
    assert (line.ended, line.most) == (["a", "b", "c"], 1)


async def test_a_batch_that_fails_waits_for_the_other():
    line = Line("a", "b", "c", fails={"a"})
    with pytest.raises(RuntimeError):
        await send_overlapping(line.send, lambda _: None, most=100)
    assert line.ended == ["b"]
    assert (line.flying, line.due) == (0, ["c"])


async def test_who_is_told_to_stop_leaves_nothing_running():
    line = Line(*"abcdefgh")
    work = asyncio.create_task(send_overlapping(line.send, lambda _: None, most=100))
    await line.two_are_flying.wait()
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work
    assert line.flying == 0
    assert line.due


async def test_a_batch_that_comes_to_nothing_ends_it():
    async def nothing(taken):
        taken()
        return Sent()

    noted: list[int] = []
    await send_overlapping(nothing, lambda sent: noted.append(sent.total), most=1000)
    assert len(noted) <= 2
