"""The steps of one case, now, without Prefect: what the UI's Retry runs, on the command line."""

from dataclasses import dataclass

from tasks import steps
from tasks.case_file import read_case
from tasks.cases import find_case
from tasks.composition import Services
from tasks.operators.again import ACTOR, ask_again

_DONE = ("accepted", "already_done")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerun:
    """What one rerun did: effects asked for again, what became of the calls, where the case stands now.

    ``not_asked`` says of each effect for which asking is no answer why not. ``stopped`` counts effects
    of the case that still stand in front of a person.
    """

    case_no: str
    asked: int
    not_asked: tuple[str, ...]
    accepted: int
    refused: int
    other: int
    settled: bool
    stopped: int
    state: str
    state_name: str
    waits: str


async def rerun_case(services: Services, case_no: str, *, actor: str = ACTOR) -> Rerun:
    """Try again what was refused of the case, carry out what is due, close what can be closed.

    ``actor`` is written to the timeline as who asked. Safe to repeat, and beside the dispatcher: the same
    own ids go.

    Raises:
        UnknownCase: the ledger holds no case of this number.
    """
    identity = await find_case(services.ledger, case_no)
    await steps.recover(services)
    asked = await ask_again(services.ledger, services.sealing, [identity], actor=actor)
    sent = await steps.send_for_cases(services, [identity])
    await steps.claim(services)
    await steps.tell_liaisons(services)
    await steps.close_observed(services)
    await steps.settle(services)
    told = await read_case(services.ledger, services.city, case_no)
    accepted = sum(sent.get(name, 0) for name in _DONE)
    refused = sent.get("refused", 0)
    stopped = [each for each in told.effects if each.state in {"refused", "held"} and each.decided_by is None]
    return Rerun(
        case_no=case_no,
        asked=asked.count,
        not_asked=asked.left,
        accepted=accepted,
        refused=refused,
        other=sum(sent.values()) - accepted - refused,
        settled=told.state == "settled",
        stopped=len(stopped),
        state=told.state,
        state_name=told.state_name,
        waits=told.waits,
    )
