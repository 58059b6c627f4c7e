"""A step that keeps failing is an incident with an owner, and closes by itself once it works."""

from dataclasses import replace

import pytest

from tasks.failing import Failing
from tasks.in_front import OPERATIONS_DESK
from tasks.steps import attempted, settle, verify_arrivals

OPEN = "SELECT * FROM incidents WHERE kind = 'step_failing' AND closed_at IS NULL"


@pytest.fixture
def another(world):
    """`another()` is one more process over the same ledger; it looks at every turn what is over."""
    return lambda: replace(world.services, failing=Failing(quiet_s=0))


async def fail(services, times):
    for _ in range(times):
        assert await attempted(verify_arrivals, services) == {"failed": 1}


async def test_the_third_failure_opens_it_and_work_closes_it(world, another, table_away):
    services = another()
    async with table_away("expected_arrivals"):
        await fail(services, 2)
        assert await world.rows(OPEN) == [], "its turn comes again"
        await fail(services, 1)
        (row,) = await world.rows(OPEN)
        assert (row["key"], row["count"], row["owner"]) == ("verify_arrivals", 3, OPERATIONS_DESK)
        assert "核验他方报送" in row["message"]
        assert "UndefinedTable" in row["message"]
        await attempted(settle, services)
        await attempted(settle, services)
        await fail(services, 2)
        (row,) = await world.rows(OPEN)
        assert row["count"] == 5, "another step's work closes nothing"
    await attempted(verify_arrivals, services)
    await attempted(verify_arrivals, services)
    assert await world.rows(OPEN) == []


async def test_what_works_in_between_hides_nothing(world, another, table_away):
    services = another()
    for _ in range(3):
        async with table_away("expected_arrivals"):
            await fail(services, 1)
        await attempted(verify_arrivals, services)
    (row,) = await world.rows(OPEN)
    assert row["count"] == 3


async def test_one_process_closes_what_another_left_and_nothing_that_another_counts_on(
    world, another, table_away
):
    failing, working = another(), another()
    for _ in range(3):
        async with table_away("expected_arrivals"):
            await fail(failing, 3)
        await attempted(verify_arrivals, working)
        assert len(await world.rows(OPEN)) == 1
    await attempted(verify_arrivals, working)
    assert await world.rows(OPEN) == [], "whoever counted on it is gone"
