"""Workers that die or fall asleep at a named line, or wait for strace: forked in milliseconds.

Each is the dispatcher's own loop in a process of its own, forked from one that has imported everything.
"""

import asyncio
import contextlib
import ctypes
import functools
import multiprocessing
import os
import signal

from adapters.credit.client import CreditClient
from adapters.platform.client import PlatformClient
from adapters.sms.yunmas import YunmasClient
from models.ledger.queries import effects, inbox, texts, watermarks
from tasks import dispatcher, intake, recalling, settling, texting
from tasks.admission import admitting as admission
from tasks.sending import dispatch, lines

# (owner, name, when): the line stands before or after what is named.
POINTS = {
    "before_keep": (inbox, "add", "before"),
    "in_keep": (inbox, "add", "after"),
    "after_keep": (intake, "keep", "after"),
    "in_watermark": (watermarks, "follow", "before"),
    "in_turn": (admission, "read_waiting", "before"),
    "in_planning": (effects, "plan", "after"),
    "after_lease": (effects, "_intended", "before"),
    "in_intent": (effects, "_intended", "after"),
    "before_push": (PlatformClient, "push", "before"),
    "after_push": (PlatformClient, "push", "after"),
    "before_recall": (PlatformClient, "recall", "before"),
    "after_recall": (PlatformClient, "recall", "after"),
    "before_return": (PlatformClient, "give_back", "before"),
    "after_return": (PlatformClient, "give_back", "after"),
    "before_report": (CreditClient, "report", "before"),
    "after_report": (CreditClient, "report", "after"),
    "before_text": (YunmasClient, "send", "before"),
    "after_text": (YunmasClient, "send", "after"),
    "before_record": (effects, "record", "before"),
    "in_record": (effects, "record", "after"),
    "after_record": (dispatch, "_carried_out", "after"),
    "in_claim": (lines, "note_pushed", "after"),
    "in_text_plan": (texts, "fold", "after"),
    "after_text_plan": (texting, "plan_texts", "after"),
    "in_recall_plan": (recalling, "plan_recalls", "after"),
    "in_settle": (settling, "settle", "after"),
}
AFTER_A_CALL = ("after_push", "after_recall", "after_return", "after_report", "after_text")
LONGEST_S = 120
_PR_SET_PDEATHSIG = 1


def start(number=None, point=None, *, nth=1) -> "Forked":
    """A dispatcher that sends itself signal ``number`` the ``nth`` time it reaches ``point``."""
    return Forked(number, point, nth)


_STARTED: list["Forked"] = []


def end_all():
    """Whoever is left ends, asleep or not: nobody waits for a sleeper."""
    for each in _STARTED:
        each.kill()
    _STARTED.clear()


class Forked:
    """One forked dispatcher. ``go`` lets it work; until then a tracer may take hold of it."""

    def __init__(self, number, point, nth, *, poison=None):
        forking = multiprocessing.get_context("forkserver")
        forking.set_forkserver_preload([__name__])
        self._gate, gate = forking.Pipe()
        self._process = forking.Process(target=_work, args=(gate, number, point, nth, poison), daemon=True)
        self._process.start()
        gate.close()
        self.point = point
        self.began = False
        _STARTED.append(self)

    @property
    def pid(self) -> int:
        return self._process.pid

    def go(self):
        """Let it work; one that a tracer has killed while it waited has never ``began``."""
        with contextlib.suppress(BrokenPipeError):
            self._gate.send("go")
            self.began = True
        return self

    def ended(self, patience_s: float) -> int | None:
        """Its exit code, negative for the signal that ended it; None when it still works."""
        self._process.join(patience_s)
        return self._process.exitcode

    def send(self, number: int):
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return

    def kill(self):
        self._process.kill()
        self._process.join()

    def end(self, patience_s: float = 15) -> int | None:
        """Ask it to finish what is in its hands, and kill it if it does not; its exit code."""
        self.send(signal.SIGTERM)
        if self.ended(patience_s) is None:
            self.kill()
        return self._process.exitcode


def _work(gate, number, point, nth, poison):
    # Nobody's child, whatever becomes of who started us.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.alarm(LONGEST_S)
    gate.recv()
    if poison is not None:
        _die_of(poison)
    if point is not None:
        _stand_at(*POINTS[point], number, nth)
    asyncio.run(dispatcher.run_dispatcher(rest_s=0.05))


def _die_of(case_no):
    read = admission.parse_case

    def reading(raw, record_key):
        if record_key == case_no:
            os.kill(os.getpid(), signal.SIGKILL)
        return read(raw, record_key)

    admission.parse_case = reading


def _stand_at(owner, name, when, number, nth):
    do, left = getattr(owner, name), [nth]

    def reached():
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), number)

    @functools.wraps(do)
    async def watched(*args, **options):
        if when == "before":
            reached()
        done = await do(*args, **options)
        if when == "after":
            reached()
        return done

    setattr(owner, name, watched)
    # Who took the name into a module of their own calls it there.
    for module in (admission, intake, lines, recalling, settling, texting):
        if getattr(module, name, None) is do:
            setattr(module, name, watched)
