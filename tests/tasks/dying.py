"""A worker that dies on purpose at a named line, in a process of its own."""

import asyncio
import multiprocessing
import os

from config.settings import Settings
from models.ledger.queries import effects
from tasks import steps
from tasks.admission import admitting as admission
from tasks.composition import open_services
from tasks.sending import dispatch

DEAD = 9


def die(*_, **__):
    os._exit(DEAD)


def before(owner, name):
    """Die instead of doing it."""
    setattr(owner, name, die)


def after(owner, name):
    """Do it, then die before anybody hears of it."""
    done = getattr(owner, name)

    async def once(*args, **options):
        await done(*args, **options)
        die()

    setattr(owner, name, once)


def call_of(services, step):
    """The client's method that this step's calls go through."""
    return {
        "send_pushes": (type(services.platform), "push"),
        "send_recalls": (type(services.platform), "recall"),
        "send_returns": (type(services.platform), "give_back"),
        "send_reports": (type(services.credit), "report"),
        "tell_liaisons": (type(services.sms), "send"),
    }[step]


async def _work(settings, step, point):
    async with open_services(Settings(**settings)) as services:
        match point:
            case "after_lease":
                before(effects, "_intended")
            case "after_intent":
                before(*call_of(services, step))
            case "after_call":
                after(*call_of(services, step))
            case "during_record":
                after(effects, "record")
            case "after_record":
                after(dispatch, "_carried_out")
            case "in_turn":
                before(admission, "read_waiting")
        await getattr(steps, step)(services)


def _run(settings, step, point):
    asyncio.run(_work(settings, step, point))


def fresh_process(target, *args):
    """Run the function in a fresh process; its exit code."""
    # Forked from a clean process that has imported everything: a start in milliseconds.
    fresh = multiprocessing.get_context("forkserver")
    fresh.set_forkserver_preload([__name__])
    process = fresh.Process(target=target, args=args)
    process.start()
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode


def die_at(settings, step, point):
    """Run the step in a fresh process; its exit code: DEAD where it died, 0 where it never got there."""
    return fresh_process(_run, settings, step, point)
