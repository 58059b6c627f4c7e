"""One row in this process: from an empty folder to its result file."""

import fcntl
import json
import sys
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.faults import forked
from tests.faults.row import Row
from tests.faults.seen import NotQuiet
from tests.faults.verdict import conclude


def run_alone(entry, given) -> int:
    """0 when the row held, 1 when it did not; ``result.json`` says why."""
    cases = given.cases or entry.cases
    with ExitStack() as stack:
        with one_at_a_time(given.out.parent):
            row = Row(
                entry,
                given.out / "stack",
                seed=given.seed,
                cases=cases,
                size=given.size,
                long=given.long,
                haste=given.haste,
            )
            stack.enter_context(row.stack)
        row.begin()
        try:
            entry.run(row)
        except NotQuiet as loud:
            traceback.print_exc()
            row.no_end(str(loud))
        finally:
            forked.end_all()
        row.stop_ours()
        result = conclude(row)
    given.out.joinpath("result.json").write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n")
    for problem in result["problems"]:
        sys.stderr.write(problem + "\n")
    return 1 if result["problems"] else 0


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Rows that begin together would be given the same free ports."""
    with (folder / "starting.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
