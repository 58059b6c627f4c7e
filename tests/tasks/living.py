"""A seeded city lived through day by day, and the outside comparer's verdict on it."""

import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from adapters.sandbox.world.__main__ import write
from adapters.sandbox.world.build import build
from models.domain.workdays import business_day, start_of_day
from tasks.city_loading import load_city_into
from tasks.reconciliation.statement import write_statement
from tasks.steps import EVERY_STEP
from tests.tasks.running import ROOT, World

CITY = ROOT / "config" / "yiyang"


@dataclass
class Lived:
    """A world at its end, and what the comparer says of it."""

    world: World
    begins: datetime
    ends: datetime
    verdict: dict
    heard: list = field(default_factory=list)

    @property
    def four(self):
        return {name: self.verdict[name] for name in ("lost", "doubled", "unexpected", "silent")}


def make_world(folder: Path, *, seed: str, cases: int):
    """The world's files below ``folder``/world."""
    write(build(seed, cases, CITY), folder / "world")


_PERSONAL = ("name", "id_number", "legal_person", "contact", "phone", "address")


def personal_words(folder: Path):
    """Whatever the world's files say of a person or a party."""
    words = set()
    for name in ("feed_cases", "feed_feedback", "answers", "credit_records"):
        for line in (folder / f"{name}.jsonl").read_text().splitlines():
            record = json.loads(line)["record"]
            if isinstance(record, dict):
                for about in (record.get("party"), record.get("place_of_business")):
                    words |= {about.get(key) for key in _PERSONAL} if isinstance(about, dict) else set()
                penalty = record.get("penalty") or {}
                words |= {penalty.get(key) for key in ("CF_XDR_MC", "CF_XDR_SHXYM", "CF_XDR_ZJHM")}
    for person in json.loads((folder / "liaisons.json").read_text()):
        words |= {person["name"], person["phone"]}
    return sorted(word for word in words if isinstance(word, str) and len(word.strip()) > 1)


async def live(world, *, every=1, leave_out=()):
    """From the world's first day to its last, ``every`` so many days, by every step but these."""
    told = json.loads((world.outside.world / "world.json").read_text())
    begins, ends = datetime.fromisoformat(told["begins"]), datetime.fromisoformat(told["ends"])
    people = json.loads((world.outside.world / "liaisons.json").read_text())
    services = world.services
    await load_city_into(services.ledger, services.sealing, services.city, people)
    steps = [step for step in EVERY_STEP if step not in leave_out]
    day, last = business_day(begins), business_day(ends) + timedelta(days=3)
    while day <= last:
        if every > 1 or services.calendar.is_working(day) or day > business_day(ends):
            await world.at(max(begins, start_of_day(day) + timedelta(hours=10)))
            await world.run(*steps)
        day += timedelta(days=every)
    await world.at(start_of_day(last) + timedelta(hours=11))
    for _ in range(3):
        await world.run(*steps)
    return Lived(world, begins, ends, await compare(world, window_days=every))


async def compare(world, *, window_days=1):
    """The comparer's verdict, from a process of its own that knows only files."""
    statement, out = world.outside.folder / "statement.jsonl", world.outside.folder / "compare.json"
    await write_statement(world.services.ledger, statement)
    outside = world.outside
    command = [sys.executable, ROOT / "tests" / "outside" / "compare.py", "--city-dir", CITY]
    command += ["--liaisons", outside.world / "liaisons.json", "--statement", statement, "--json", out]
    for kind in ("platform", "credit"):
        command += [f"--{kind}-ledger", outside.ledger(kind), f"--{kind}-feed", outside.feed(kind)]
    command += ["--sms-ledger", outside.ledger("sms"), "--window", str(window_days * 86400)]
    done = await asyncio.to_thread(subprocess.run, command, check=False, capture_output=True, text=True)
    assert done.returncode in {0, 1}, done.stderr
    return json.loads(out.read_text())
