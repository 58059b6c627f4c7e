"""A small world that runs: real simulators in processes of their own, a real ledger, no Prefect."""

import asyncio
import json
import os
import subprocess
import sys
import urllib.request
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from adapters.stack.postgres_account import embedded_binaries
from config.settings import Settings
from models.ledger.queries import clock
from tasks.composition import open_services
from tasks.intake import CASES, CREDIT_RECORDS, FEEDBACK, Arrival, keep
from tasks.steps import EVERY_STEP
from tests.tasks.records import NOW, raw

ROOT = Path(__file__).parents[2]
SECRET, CONTROL, PATH_SECRET = "a made-up secret", "let-me-in", "an-unguessable-path-2"
SYSTEMS = ("platform", "credit", "sms")


class Outside:
    """The three simulators over one folder of world files."""

    def __init__(self, folder, *, listener=""):
        self.folder, self.world, self._listener = folder, folder / "world", listener
        self._processes, self.ports = {}, {}

    def start(self):
        surroundings = os.environ | {"SIM_SECRET": SECRET, "SIM_CONTROL": CONTROL}
        for kind in SYSTEMS:
            command = [sys.executable, "-m", "adapters.sandbox", kind, "--world", self.world]
            command += ["--ledger", self.ledger(kind), "--feed", self.feed(kind)]
            command += ["--listener", self._listener] if kind == "sms" else []
            self._processes[kind] = subprocess.Popen(
                command, cwd=ROOT, env=surroundings, stdout=subprocess.PIPE
            )
        for kind, process in self._processes.items():
            self.ports[kind] = json.loads(process.stdout.readline())["port"]
        return self

    def stop(self):
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            process.wait(10)
            process.stdout.close()

    def ledger(self, kind):
        return self.folder / f"{kind}.jsonl"

    def feed(self, kind):
        return self.folder / f"{kind}.feed.jsonl"

    def stored(self, kind):
        """What the system holds, one effect each."""
        path = self.ledger(kind)
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def control(self, kind, path, value=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports[kind]}/_sim/{path}",
            data=None if value is None else json.dumps(value).encode(),
            headers={"X-Sim-Control": CONTROL, "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def set_clock(self, business):
        anchors = {"anchor_machine": datetime.now(UTC).isoformat(), "anchor_business": business.isoformat()}
        for kind in SYSTEMS:
            self.control(kind, "clock", anchors | {"rate": 0})

    def settings(self, database_url, keys, **changes):
        """The settings of a worker of ours against these systems."""
        given = {
            "database_url": database_url,
            "seal_keys_file": keys,
            # A ledger has a journal of its own: one that never sent is locked beside another's.
            "journal_dir": self.folder / "journal" / database_url.rpartition("/")[2].partition("?")[0],
            "listener_path_secret": PATH_SECRET,
            "call_deadline_s": 2,
            "lease_s": 10,
            **{f"{kind}_url": f"http://127.0.0.1:{self.ports[kind]}" for kind in SYSTEMS},
            **{f"{kind}_key_id": "demo" for kind in ("platform", "credit")},
            **{f"{kind}_secret": SECRET for kind in ("platform", "credit")},
            "sms_ec_name": "某市",
            "sms_ap_id": "demo",
            "sms_secret_key": SECRET,
            "sms_sign": "QM",
        }
        return {name: str(value) for name, value in (given | changes).items()}


class World:
    """One ledger, the services over it, and what the outside does from now on."""

    def __init__(self, outside, services, settings):
        self.outside, self.services, self.settings = outside, services, settings
        self.now = NOW
        self._before = {kind: len(outside.stored(kind)) for kind in SYSTEMS}

    async def at(self, business):
        """It is this business time, for us and for all others, and it stands."""
        self.now = business
        await asyncio.to_thread(self.outside.set_clock, business)
        async with self.services.ledger.writing() as conn:
            await clock.set_clock(conn, business=business, rate=Decimal(0))

    async def run(self, *steps):
        """Run the steps in order (all of them if none is named); step name → what it did."""
        return {step.__name__: await step(self.services) for step in steps or EVERY_STEP}

    async def arrive(self, *records, feed=CASES):
        """Take in these records, as the feed's reader does."""
        arrivals = [Arrival(raw(record)) for record in records]
        return await keep(self.services.ledger, self.services.sealing, feed, arrivals)

    async def report(self, *records):
        """Take in feedback."""
        return await self.arrive(*records, feed=FEEDBACK)

    async def enter(self, *records):
        """Take in credit records."""
        return await self.arrive(*records, feed=CREDIT_RECORDS)

    def without(self, **changes):
        """Change the product's own city, not the outside's."""
        self.services = replace(self.services, city=replace(self.services.city, **changes))

    def stored(self, kind):
        """What the system has stored since this world began."""
        return self.outside.stored(kind)[self._before[kind] :]

    async def faults(self, kind, *rules):
        """The simulator fails by these rules from now on."""
        await asyncio.to_thread(self.outside.control, kind, "faults", list(rules))

    async def hits(self, kind):
        """How often its rules struck, all together."""
        return sum(rule["hits"] for rule in await asyncio.to_thread(self.outside.control, kind, "faults"))

    async def rows(self, sql, *values):
        """What the ledger answers."""
        async with self.services.ledger.reading() as conn:
            return await (await conn.execute(sql, values)).fetchall()

    async def value(self, sql, *values):
        """The one value of the one row."""
        (row,) = await self.rows(sql, *values)
        return next(iter(row.values()))

    async def column(self, sql, *values):
        """The first value of each row."""
        return [next(iter(row.values())) for row in await self.rows(sql, *values)]

    async def change(self, sql, *values):
        """Do in the ledger what only time or an operator does."""
        async with self.services.ledger.writing() as conn:
            await conn.execute(sql, values)

    async def post(self, url, value):
        """Post this as the gateway does; it is answered with 200."""
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(url, data=json.dumps(value).encode(), headers=headers)

        def ask():
            with urllib.request.urlopen(request) as answer:
                return answer.status

        assert await asyncio.to_thread(ask) == 200

    async def dump(self, cluster, database):
        """Everything the database holds, as pg_dump writes it."""
        done = await asyncio.to_thread(
            subprocess.run,
            [embedded_binaries() / "pg_dump", "--data-only", cluster.url("superuser", database)],
            capture_output=True,
            check=True,
        )
        return done.stdout.decode()

    async def wait_is_over(self):
        """Every lease has run out, and every delay before the next try."""
        await self.change(
            "UPDATE effects SET not_before = now() - interval '1 s',"
            " lease_until = CASE WHEN lease_token IS NOT NULL THEN now() - interval '1 s' END"
        )

    async def wait_for(self, sql, *values, seconds=20):
        """Until the ledger's answer is not empty: somebody else writes it."""
        for _ in range(int(seconds * 20)):
            if found := await self.rows(sql, *values):
                return found
            await asyncio.sleep(0.05)
        raise AssertionError(f"never came: {sql}")


@asynccontextmanager
async def running(outside, settings):
    """The world over a ledger that has its city; services live in a task of their own."""
    opened, over = asyncio.get_running_loop().create_future(), asyncio.Event()

    async def serve():
        # What a process opens once belongs to one context; a fixture's ends are run in two.
        async with open_services(Settings(**settings)) as services:
            opened.set_result(services)
            await over.wait()

    task = asyncio.create_task(serve())
    await asyncio.wait({task, opened}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
    world = World(outside, opened.result(), settings)
    try:
        yield world
    finally:
        over.set()
        await task
