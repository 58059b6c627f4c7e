"""After a restore every day is asked after on which something may have left, however long that is ago."""

from datetime import date, timedelta

import pytest

from adapters.journal.lines import packed, unpacked
from models.domain.errors import NotDone
from tasks.city_loading import load_city_into
from tasks.restore.restoring import after_restore
from tasks.steps import admit_cases, send_pushes, tell_liaisons
from tests.tasks.conftest import _empty
from tests.tasks.records import NOW, case, serial

LATER = timedelta(days=10)
STANDING = (
    "SELECT content_version, state, reason FROM effects WHERE channel = 'push' ORDER BY content_version"
)


@pytest.fixture
async def before_all(clean, cluster, shared_database, people):
    """A ledger put back to before its first send, ten days after two contents of a case had left."""
    world, services, number = clean, clean.services, serial()
    first = case(number)
    await world.arrive(first)
    await world.run(admit_cases, send_pushes, tell_liaisons)
    newest = case(number, version=2, content="另有说明", party={**first["party"], "contact": "王拟改"})
    await world.arrive(newest)
    await world.run(admit_cases, send_pushes)
    assert [line["content_version"] for line in world.stored("platform")] == [1, 2]
    _empty(cluster.url("superuser", shared_database))
    services.guard.close()
    services.sealing.data_keys.clear()
    await load_city_into(services.ledger, services.sealing, services.city, people)
    await world.at(NOW + LATER)
    await world.arrive(newest)
    return world


def without_days(world):
    """The journal as an older program wrote it."""
    for path in world.services.guard._folder.glob("*/*.journal"):
        lines = [unpacked(line) for line in path.read_bytes().splitlines()]
        assert sum("day" in line for line in lines) == 3, "each wave says its day"
        path.write_bytes(
            b"".join(packed({name: said for name, said in line.items() if name != "day"}) for line in lines)
        )


@pytest.mark.parametrize(
    ("journal", "since"), [("says the day", date(2026, 3, 9)), ("of an older program", date(2026, 2, 28))]
)
async def test_a_ledger_without_any_answer_asks_since_the_first_wave_or_since_the_city_went_live(
    before_all, journal, since
):
    world = before_all
    if journal != "says the day":
        without_days(world)
    assert (await world.run(admit_cases, send_pushes))["send_pushes"] == {"withheld": 1}
    # The first attempt ends in the midst: what it adopted has answers of today.
    await world.faults("credit", {"match": {}, "do": {"kind": "status", "status": 500}})
    with pytest.raises(NotDone):
        await after_restore(world.services, by="值班")
    await world.faults("credit")
    assert await world.column("SELECT state FROM effects WHERE channel = 'push' AND reason = 'taken_over'")
    back = await after_restore(world.services, by="值班")
    assert (back.open, back.since, back.unexplained) == (True, since, 0)
    await world.run(send_pushes)
    assert [tuple(row.values()) for row in await world.rows(STANDING)] == [
        (1, "accepted", "taken_over"),
        (2, "accepted", "taken_over"),
    ]
    assert [line["content_version"] for line in world.stored("platform")] == [1, 2]


async def test_where_a_journal_is_lost_with_all_answers_the_days_begin_when_the_city_went_live(before_all):
    world = before_all
    await world.run(admit_cases, send_pushes)
    back = await after_restore(world.services, by="值班", lost=["another"])
    assert (back.open, back.since) == (True, date(2026, 2, 28))
