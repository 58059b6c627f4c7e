"""Who listens, who is alone, and what becomes of both when their process falls silent."""

import asyncio

import pytest

from models.ledger import bell as bells
from models.ledger import connection
from models.ledger.bell import Bell
from models.ledger.connection import LedgerUnavailable
from models.ledger.queries.bell import ring


@pytest.fixture
def url(cluster, database):
    return cluster.url("app", database)


async def test_a_bell_is_heard_when_its_transaction_commits_and_only_then(url, ledger):
    async with Bell.listen(url) as bell:
        async with ledger.writing() as conn:
            ring(conn)
            ring(conn, ["push", "case"])
            ring(conn, ["push"])
            assert not await bell.heard(0.3)
        assert await bell.heard(10) == {"", "push", "case"}
        assert not await bell.heard(0.3), "twice in one transaction is once"
        with pytest.raises(ZeroDivisionError):
            await _ring_in_vain(ledger)
        assert not await bell.heard(0.3)


async def test_one_leads_and_another_follows_when_it_is_gone(url):
    async with Bell.listen(url) as second:
        async with Bell.listen(url) as first:
            await first.lead(["a", "b"])
            await second.lead(["a", "b", "c"])
            assert (first.leads, second.leads) == ({"a", "b"}, {"c"})
        for _ in range(100):
            await second.lead(["a", "b", "c"])
            if len(second.leads) == 3:
                return
            await asyncio.sleep(0.05)
        raise AssertionError("what nobody leads is never taken")


async def test_the_silent_are_ended_and_lead_nothing(url, monkeypatch):
    monkeypatch.setattr(bells, "_SILENCE_S", 1)
    with pytest.raises(LedgerUnavailable):
        await _lead_in_silence(url)
    async with Bell.listen(url) as other:
        await other.lead(["a"])
        assert other.leads == {"a"}


async def test_alone_lets_others_in_in_the_middle_of_its_transaction(ledger):
    async with ledger.alone("here") as first:
        entering = asyncio.create_task(_enter(ledger))
        async with first.writing() as conn:
            await asyncio.sleep(0.3)
            assert not entering.done()
            await first.leave()
            await asyncio.wait_for(entering, 10)
            await conn.execute("SELECT 1")
    async with ledger.alone("here") as again:
        assert again._holds


async def test_a_transaction_that_breaks_lets_others_in(ledger):
    with pytest.raises(ZeroDivisionError):
        await _break(ledger)
    async with ledger.alone("here") as second:
        assert second._holds


async def test_who_cannot_be_alone_goes_in_beside(ledger, monkeypatch):
    monkeypatch.setattr(connection, "_ALONE_PATIENCE_S", 0.2)
    async with ledger.alone("here"), ledger.alone("here") as second:
        assert not second._holds
        async with second.writing() as conn:
            await conn.execute("SELECT 1")


async def _enter(ledger):
    async with ledger.alone("here") as entered:
        assert entered._holds


async def _ring_in_vain(ledger):
    async with ledger.writing() as conn:
        ring(conn)
        raise ZeroDivisionError


async def _lead_in_silence(url):
    async with Bell.listen(url) as silent:
        await silent.lead(["a"])
        await silent.heard(30)


async def _break(ledger):
    async with ledger.alone("here") as first, first.writing() as conn:
        await conn.execute("SELECT 1")
        raise ZeroDivisionError
