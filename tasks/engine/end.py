"""The end of a program that has run flows itself, before the Prefect server it spoke to stops."""

from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker

_PATIENCE_S = 10.0


def say_the_rest() -> None:
    """Events and log lines that Prefect's client still holds are sent, or given up after 10 s each.

    Without it they are tried again when the program ends, against a server that is gone: for a minute
    and more. Not to be called inside a running event loop.
    """
    for worker in (EventsWorker, APILogWorker):
        worker.drain_all(timeout=_PATIENCE_S)
