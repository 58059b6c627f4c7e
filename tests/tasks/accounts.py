"""Accounts of both sides for the tests of reconciliation: what was sent, asked for, and counted."""

import json
from datetime import date
from pathlib import Path

import yaml

from tasks.planning import BODY_FIELD
from tasks.reconciliation.reconciling import reconcile_day, total
from tasks.reconciliation.sides import CreditSide, PlatformSide
from tasks.steps import (
    admit_cases,
    claim,
    send_pushes,
)
from tests.tasks.records import FOOD, case, serial

TODAY = date(2026, 3, 10)
DECLARED = yaml.safe_load((Path(__file__).parents[2] / "prefect.yaml").read_text("utf-8"))["deployments"]


class Counted:
    """A side that counts what it is asked."""

    def __init__(self, side):
        self._side, self.pages, self.looks = side, 0, 0
        self.name, self.channels, self.counts = side.name, side.channels, side.counts

    async def page(self, day, group, cursor):
        self.pages += 1
        return await self._side.page(day, group, cursor)

    async def find(self, channel, own):
        self.looks += 1
        return await self._side.find(channel, own)


async def platform(world, day=TODAY):
    side = Counted(PlatformSide(world.services.platform))
    return await reconcile_day(world.services, side, day), side


async def credit(world, day=TODAY):
    side = Counted(CreditSide(world.services.credit))
    return await reconcile_day(world.services, side, day), side


def apart(rows):
    return {name: count for name, count in total(rows).items() if count}


async def sent(world, number=3):
    await world.arrive(*(case(serial(), item=FOOD) for _ in range(number)))
    await world.run(admit_cases, send_pushes, claim)
    return await world.column("SELECT own_id FROM effects WHERE channel = 'push' ORDER BY own_id")


async def body_of(world, own):
    (row,) = await world.rows("SELECT body_sealed FROM effect_bodies WHERE own_id = %s", own)
    return json.loads(world.services.sealing.open_sealed(BODY_FIELD, own, row["body_sealed"]))
