"""Operators of a small world, with the codes their authenticators show."""

import base64
import time

from models.ledger.one_time import code_at
from tasks.operators.accounts import add_operator, prove


class Desk:
    def __init__(self, world):
        self.world, self.secrets = world, {}

    async def __call__(self, name):
        made = await add_operator(self.world.services.ledger, self.world.services.sealing, name)
        self.secrets[name] = base64.b32decode(made.secret)
        return made

    def code(self, name, steps=0):
        return code_at(self.secrets[name.strip()], time.time() + 30 * steps)

    def wrong(self, name):
        near = {self.code(name, steps) for steps in range(-3, 4)}
        return next(code for n in range(10) if (code := f"{n:06d}") not in near)

    async def prove(self, name, code, *, asked_at=None):
        services = self.world.services
        return await prove(
            services.ledger,
            services.sealing,
            name=name,
            code=code,
            act="decide",
            subject="PS1",
            asked_at=asked_at,
        )
