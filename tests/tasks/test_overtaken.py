"""A newer content is planned while the older one is in somebody's hands, and the older one comes back."""

from uuid import uuid4

from models.domain.errors import NotDone, Refused
from models.ledger.queries import effects, leasing
from models.ledger.queries.leasing import Hold
from tasks.sending.dispatch import ALONE_AFTER
from tasks.sending.verdicts import Verdict
from tasks.steps import admit_cases, ask_again, recover, send_pushes, send_recalls
from tests.tasks.dying import DEAD, die_at
from tests.tasks.records import NOW, granted, serial, withdrawn
from tests.tasks.test_racing import send

TOKEN = uuid4()


async def states(world):
    return await world.column("SELECT state FROM effects WHERE channel = 'push' ORDER BY content_version")


async def test_one_that_died_with_its_worker_gives_way(world):
    number = serial()
    await world.arrive(granted(number, version=1))
    await world.run(admit_cases)
    # What has ended workers goes alone: it is leased before its intent.
    await world.change(f"UPDATE effects SET deaths = {ALONE_AFTER}")
    assert die_at(world.settings, "send_pushes", "after_lease") == DEAD
    await world.arrive(granted(number, version=2, content="更正后的内容"))
    await world.run(admit_cases)
    assert await states(world) == ["leased", "planned"]
    await world.wait_is_over()
    await world.run(recover)
    assert await states(world) == ["superseded", "planned"]
    await world.run(send_pushes)
    assert [row["content_version"] for row in world.stored("platform")] == [2]


async def test_one_that_was_not_done_gives_way(world):
    number = serial()
    await world.arrive(granted(number, version=1))
    await world.run(admit_cases)

    async def call(group):
        await world.arrive(granted(number, version=2, content="更正后的内容"))
        await world.run(admit_cases)
        return [Verdict(error=NotDone("platform", "not_processed"))] * len(group)

    await send(world, "w", call=call)
    assert await states(world) == ["superseded", "planned"]
    await world.run(send_pushes)
    assert [row["content_version"] for row in world.stored("platform")] == [2]


async def test_nothing_of_a_case_that_was_withdrawn_meanwhile_leaves(world):
    number = serial()
    await world.arrive(granted(number, version=1))
    await world.run(admit_cases)

    async def call(group):
        await world.arrive(withdrawn(number))
        await world.run(admit_cases, send_recalls)
        return [Verdict(error=NotDone("platform", "not_processed"))] * len(group)

    await send(world, "w", call=call)
    await world.wait_is_over()
    await world.run(recover, send_pushes, send_recalls)
    assert world.stored("platform") == []
    assert await states(world) == ["superseded"]


async def test_what_was_never_called_gives_way(world):
    number = serial()
    await world.arrive(granted(number, version=1))
    await world.run(admit_cases)
    (row,) = await lease(world, seconds=30)
    await world.arrive(granted(number, version=2, content="更正后的内容"))
    await world.run(admit_cases)
    async with world.services.ledger.writing() as conn:
        assert await effects.give_back(conn, token=TOKEN) == 1
    assert await states(world) == ["superseded", "planned"]
    assert row["attempts"] == 1


async def test_what_was_refused_under_an_older_content_is_not_asked_again(world):
    number = serial()
    await world.arrive(granted(number, version=1))
    await world.run(admit_cases)

    async def call(group):
        await world.arrive(granted(number, version=2, content="更正后的内容"))
        await world.run(admit_cases)
        return [Verdict(error=Refused("platform", "rule-broken"))] * len(group)

    await send(world, "w", call=call)
    identity = await world.value("SELECT id FROM cases")
    await ask_again(world.services, [identity])
    await world.run(send_pushes)
    assert [row["content_version"] for row in world.stored("platform")] == [2]


async def lease(world, *, seconds):
    async with world.services.ledger.writing() as conn:
        return await leasing.take(
            conn, channel="push", repeat=True, limit=5, hold=Hold(TOKEN, seconds), business_now=NOW
        )
