"""PostgreSQL is put back to an older copy while the outside keeps what came later; nothing goes twice."""

import json
import subprocess
from datetime import datetime, timedelta

import pytest
import pytest_asyncio

from adapters.stack.postgres import Cluster
from models.domain.workdays import business_day, start_of_day
from models.ledger.migrate import upgrade
from tasks.city_loading import load_city_into
from tasks.reconciliation.reconciled import markdown, reconcile, sentences
from tasks.restore.restoring import RestoreHalted, after_restore
from tasks.steps import EVERY_STEP, match_receipts, send_pushes, tell_liaisons
from tests.tasks.living import compare, make_world
from tests.tasks.running import SYSTEMS, Outside, running

NONE = {"lost": 0, "doubled": 0, "unexpected": 0, "silent": 0}
EVERY = 4
"""Days between two looks; the same for the whole city, so that its months take seconds."""


class City:
    """A city on a PostgreSQL of its own, whose files can be copied and put back."""

    def __init__(self, folder, cluster, outside, keys):
        self.folder, self.cluster, self.outside, self.keys = folder, cluster, outside, keys
        told = json.loads((outside.world / "world.json").read_text())
        self.begins, self.ends = (datetime.fromisoformat(told[name]) for name in ("begins", "ends"))
        first, last = business_day(self.begins), business_day(self.ends) + timedelta(days=3)
        self.days = [first + timedelta(days=n) for n in range(0, (last - first).days + 1, EVERY)]

    def settings(self):
        return self.outside.settings(self.cluster.url("app", "shenguan"), self.keys)

    def copied(self):
        """The data folder as it is now; PostgreSQL stands still meanwhile, as for a snapshot."""
        self.cluster.stop()
        subprocess.run(["cp", "-a", self.cluster.data, self.folder / "copy"], check=True)
        self.cluster.start()

    def put_back(self):
        self.cluster.stop("immediate")
        subprocess.run(["rm", "-rf", self.cluster.data], check=True)
        subprocess.run(["cp", "-a", self.folder / "copy", self.cluster.data], check=True)
        self.cluster.start()

    async def live(self, world, days, *, receipts=True):
        """These days, and the answers that came on them."""
        steps = [step for step in EVERY_STEP if receipts or step is not match_receipts]
        for day in days:
            await world.at(max(self.begins, start_of_day(day) + timedelta(hours=10)))
            await world.run(*steps)


@pytest_asyncio.fixture(loop_scope="session")
async def city(tmp_path_factory, keyring_file, mailbox):
    folder = tmp_path_factory.mktemp("restored")
    make_world(folder, seed="12", cases=40)
    with Cluster.create_or_open(folder / "pg", shared_buffers="64MB") as cluster:
        upgrade(cluster.url("owner", "shenguan"))
        outside = Outside(folder, listener=mailbox.url).start()
        try:
            made = City(folder, cluster, outside, keyring_file)
            async with running(outside, made.settings()) as world:
                people = json.loads((outside.world / "liaisons.json").read_text())
                services = world.services
                await load_city_into(services.ledger, services.sealing, services.city, people)
                mailbox.services = services
                await made.live(world, made.days[:5])
                mailbox.services = None
            made.copied()
            async with running(outside, made.settings()) as world:
                mailbox.services = world.services
                await made.live(world, made.days[5:9])
                mailbox.services = None
            made.later = {kind: [line["own_id"] for line in outside.stored(kind)] for kind in SYSTEMS}
            made.put_back()
            yield made
        finally:
            mailbox.services = None
            outside.stop()


async def test_locked_until_reconciled_and_then_nothing_is_doubled(city, mailbox):
    before = {kind: city.outside.ledger(kind).read_bytes() for kind in SYSTEMS}
    async with running(city.outside, city.settings()) as world:
        mailbox.services = world.services
        await city.live(world, city.days[8:9])
        assert {kind: city.outside.ledger(kind).read_bytes() for kind in SYSTEMS} == before, "nothing left"
        assert await world.column("SELECT kind FROM incidents WHERE kind = 'senders_locked'") == [
            "senders_locked"
        ]
        back = await after_restore(world.services, by="值班")
        assert back.open
        assert back.waiting_for == ()
        assert back.adopted > 10
        assert back.texts_held > 5
        assert (back.unexplained, back.news_held, back.sent_again) == (0, 0, 0)
        assert {kind: city.outside.ledger(kind).read_bytes() for kind in SYSTEMS} == before
        (lock,) = await world.rows("SELECT cause, opened_by FROM sender_locks")
        assert lock == {"cause": "ledger_older", "opened_by": "值班"}
        assert (
            await world.value(
                "SELECT count(*) FROM incidents WHERE closed_at IS NULL AND kind = %s", "senders_locked"
            )
            == 0
        )
        own = await world.column("SELECT own_id FROM effects WHERE state = 'accepted' AND channel <> 'sms'")
        assert {*city.later["platform"], *city.later["credit"]} <= set(own), (
            "all that the outside has is known"
        )
        await city.live(world, city.days[9:])
        for _ in range(3):
            await world.run()
        found = await reconcile(world.services, day=city.days[8])
        assert (found.rate, found.unexplained, found.locked) == (1.0, 0, False)
        page, lines = markdown(found), list(sentences(found))
        assert "完整率 **100%**" in page
        assert "| 系统 | 事项 | 部门 |" in page
        assert lines[0].startswith(f"对账 {city.days[8]}：完整率 100%")
        verdict = await compare(world, window_days=EVERY)
    assert {name: verdict[name] for name in NONE} == NONE, verdict["details"][:10]
    for kind in ("platform", "credit"):
        stored = [line["own_id"] for line in city.outside.stored(kind)]
        assert len(stored) == len(set(stored)) > len(city.later[kind])
    texts = [line["content"] for line in city.outside.stored("sms")]
    assert len(texts) == len(set(map(json.dumps, texts))) > len(city.later["sms"])


async def test_without_the_journal_a_person_says_so_and_no_text_is_guessed(city, mailbox):
    (city.folder / "journal").rename(city.folder / "gone")
    texts = city.outside.ledger("sms").read_bytes()
    async with running(city.outside, city.settings()) as world:
        mailbox.services = world.services
        assert await send_pushes(world.services) == {"withheld": 1}
        assert await tell_liaisons(world.services) == {"withheld": 1}
        host = world.services.guard.host
        with pytest.raises(RestoreHalted, match="外发日志"):
            await after_restore(world.services, by="值班")
        await world.at(start_of_day(city.days[8]) + timedelta(hours=10))
        back = await after_restore(world.services, by="值班", lost=[host])
        assert back.open
        assert back.news_held > 0
        await city.live(world, city.days[9:])
        for _ in range(3):
            await world.run()
        (held,) = await world.rows("SELECT * FROM effects WHERE target = 'restored'")
        assert (held["state"], held["reason"]) == ("held", "restored")
        assert held["owner"]
        told = await world.column("SELECT push_own_id FROM sms_news WHERE sms_own_id = %s", held["own_id"])
        assert told
        verdict = await compare(world, window_days=EVERY)
    assert verdict["doubled"] == 0, verdict["details"][:10]
    assert city.outside.ledger("sms").read_bytes().startswith(texts)
    assert len(city.outside.stored("sms")) > len(city.later["sms"]), "what came after the restore is told"
