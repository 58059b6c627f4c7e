"""A party is forgotten: its data key is destroyed, when one person asks and another confirms.

What was sealed for it stays where it lies and opens for nobody; the log goes on verifying. Not while a
case of the party's is open or anything of it may still have to be sent. Who did it is itself evidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

from config.log_privacy import looks_personal
from models.domain.errors import ShenguanError
from models.ledger.bulk import Conn
from models.ledger.connection import Ledger
from models.ledger.queries import cases, data_keys, evidence, inbox
from models.ledger.sealing import SealBroken, Sealing
from tasks.evidence.subjects import RAW_FIELD, id_number_in
from tasks.operators.accounts import plain_name, prove


class CannotForget(ShenguanError):  # noqa: N818 - named as the finding it is
    """This party cannot be forgotten now, or not by this person. ``why`` is Chinese."""

    def __init__(self, case_no: str, why: str) -> None:
        super().__init__(case_no, why)
        self.case_no = case_no
        self.why = why

    def __str__(self) -> str:
        return f"{self.case_no}：{self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetTold:
    """What the call did: ``asked`` by the first person, or ``destroyed`` by the second (``keys`` of them)."""

    case_no: str
    step: Literal["asked", "destroyed"]
    asked_by: str
    confirmed_by: str | None
    keys: int


async def forget(
    ledger: Ledger, sealing: Sealing, case_no: str, *, by: str, code: str, note: str
) -> ForgetTold:
    """Ask that the party of this case be forgotten, or confirm what somebody else asked for.

    Raises:
        CannotForget: no such case, business of the party is open, the same person asked, or the note looks as
            if it named a person.
        NotProven: the name without its proof.
    """
    if looks_personal(note):
        raise CannotForget(case_no, "理由中疑似含有身份证号或手机号，请去掉后再试")
    by = plain_name(by)
    async with ledger.reading() as conn:
        await _assert_over(conn, sealing, case_no)
    by = await prove(ledger, sealing, name=by, code=code, act="evidence_forget", subject=case_no)
    async with ledger.writing() as conn:
        await data_keys.alone(conn)
        case, subjects = await _assert_over(conn, sealing, case_no)
        asked = await data_keys.asked_forgetting(conn, case["id"])
        if asked is None:
            await data_keys.ask_forgetting(conn, uuid4(), case["id"], note=note, by=by)
            return ForgetTold(case_no=case_no, step="asked", asked_by=by, confirmed_by=None, keys=0)
        if asked["asked_by"] == by:
            raise CannotForget(case_no, "须由另一人确认：您已申请，请同事用自己的账户再执行一次")
        gone = await data_keys.destroy(conn, subjects)
        leaf = await evidence.say_forgotten(
            conn, asked["id"], keys=gone, asked_by=asked["asked_by"], confirmed_by=by
        )
        await data_keys.confirm_forgetting(
            conn, asked["id"], by=by, at=leaf["at"], keys=len(gone), leaf=leaf["number"]
        )
    # This process forgets at once; others when they read their keys again.
    sealing.data_keys.clear()
    return ForgetTold(
        case_no=case_no, step="destroyed", asked_by=asked["asked_by"], confirmed_by=by, keys=len(gone)
    )


async def _assert_over(conn: Conn, sealing: Sealing, case_no: str) -> tuple[dict[str, Any], Sequence[bytes]]:
    """The case, and every index its party has had, when all of its business is over."""
    case = (await cases.find(conn, [case_no])).get(case_no)
    if case is None:
        raise CannotForget(case_no, "台账中没有这个办件")
    subjects = await _subjects(conn, sealing, case)
    left = await data_keys.unfinished(conn, subjects)
    if left["cases"] or left["effects"]:
        said = f"该当事人尚有 {left['cases']} 件未闭环、{left['effects']} 项动作未了结，此时不能销毁密钥"
        raise CannotForget(case_no, said)
    return case, subjects


async def _subjects(conn: Conn, sealing: Sealing, case: dict[str, Any]) -> list[bytes]:
    found = {bytes(case["party_index"])}
    raws = await inbox.raw(conn, [case["inbox_id"]])
    await data_keys.load(conn, sealing, raws.values())
    for raw in raws.values():
        try:
            number = id_number_in(sealing.open_sealed(RAW_FIELD, case["inbox_id"], raw))
        except SealBroken:  # forgotten before, or not whole: what is known is the case's own index
            continue
        if number is not None:
            found |= set(sealing.index_any("party", number))
    return sorted(found)
