"""The fast clock stands still while nobody keeps it, and invented cases never meet a real system."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest

from models.ledger.queries import clock, inbox
from tasks.fast_clock import FAST, WrongLedger, assert_real, begin_fast, keep_fast

BEGINS = datetime(2026, 3, 2, 1, tzinfo=UTC)
ENDS = BEGINS + timedelta(days=300)


@pytest.fixture(autouse=True)
def _no_clock(cluster, database):
    # the app may not delete a row
    with psycopg.connect(cluster.url("owner", database)) as conn:
        conn.execute("DELETE FROM business_clock")


async def shown(ledger) -> datetime:
    async with ledger.reading() as conn:
        return await clock.business_now(conn)


async def leave_alone(ledger, hours: float) -> None:
    """As if the last beat were so long ago: the machine was off meanwhile."""
    async with ledger.writing() as conn:
        await conn.execute(
            "UPDATE business_clock SET anchor_machine = anchor_machine - make_interval(hours => 1) * %s",
            (hours,),
        )


async def test_a_night_without_the_stack_is_no_decade_of_business_time(ledger) -> None:
    begun = await begin_fast(ledger, begins=BEGINS, ends=ENDS, longest_s=10)
    assert (begun.now, begun.rate) == (BEGINS, FAST)
    await leave_alone(ledger, 12)
    assert await shown(ledger) > BEGINS + timedelta(days=4000)
    again = await begin_fast(ledger, begins=BEGINS, ends=ENDS, longest_s=10)
    assert BEGINS < again.now <= BEGINS + timedelta(seconds=10 * FAST)


async def test_it_never_goes_back(ledger) -> None:
    await begin_fast(ledger, begins=BEGINS, ends=ENDS, longest_s=10)
    before = await shown(ledger)
    for _ in range(5):
        await asyncio.sleep(0.02)
        kept = await keep_fast(ledger, ends=ENDS, longest_s=60)
        assert before <= kept.now <= await shown(ledger)
        before = await shown(ledger)


async def test_after_the_end_of_its_world_it_goes_as_the_machines_does(ledger) -> None:
    await begin_fast(ledger, begins=BEGINS, ends=ENDS, longest_s=10)
    kept = await keep_fast(ledger, ends=BEGINS, longest_s=60)
    assert kept.rate == 1
    assert await shown(ledger) - kept.now < timedelta(minutes=1)


async def test_a_ledger_of_invented_cases_meets_no_real_system(ledger) -> None:
    await assert_real(ledger)
    await begin_fast(ledger, begins=BEGINS, ends=ENDS, longest_s=10)
    with pytest.raises(WrongLedger, match="仿真数据"):
        await assert_real(ledger)


async def test_a_ledger_of_real_cases_gets_no_fast_clock(ledger) -> None:
    row = inbox.NewInbox(
        id=uuid4(),
        source="platform",
        kind="case",
        record_key="1",
        record_version=1,
        sha256="0" * 64,
        raw_sealed=b"sealed",
        commitment=bytes(32),
    )
    async with ledger.writing() as conn:
        assert not await clock.lives_on_machine_time(conn)
        await inbox.add(conn, [row])
    with pytest.raises(WrongLedger, match="真实数据"):
        await begin_fast(ledger, begins=BEGINS, ends=ENDS, longest_s=10)
    await assert_real(ledger)
