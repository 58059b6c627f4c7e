"""One row in this process: from an empty folder to its result file."""

import json
import sys
import traceback

from tests.faults import forked
from tests.faults.row import NotQuiet, Row
from tests.faults.verdict import conclude


def run_alone(entry, given) -> int:
    """0 when the row held, 1 when it did not; ``result.json`` says why."""
    cases = given.cases or entry.cases
    row = Row(
        entry,
        given.out / "stack",
        seed=given.seed,
        cases=cases,
        size=given.size,
        long=given.long,
        haste=given.haste,
    )
    with row.stack:
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
