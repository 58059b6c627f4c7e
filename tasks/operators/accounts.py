"""Names that count: accounts with one-time codes, asked for where somebody answers for what is done.

Prefect's login is one shared secret, so it says nothing about who. A code is taken once, and every use is
written down, right or wrong, before what it was given for is done. It is judged by the moment at which it
was given: the database's time for a command, and for a run of Prefect the time at which it was asked for,
since such a run may wait for a worker longer than a code lives.
"""

import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

from config.log_privacy import looks_personal
from models.domain.errors import ShenguanError
from models.ledger import one_time
from models.ledger.bulk import Conn
from models.ledger.connection import Ledger
from models.ledger.queries import operators
from models.ledger.sealing import Sealing

SECRET_FIELD = "operators.secret"  # noqa: S105 - a field's name
FREE_WRONG = 3
"""Wrong codes in a row after which the next one has to wait."""
MAX_AGE = timedelta(minutes=15)
"""How long ago a run may have been asked for, and its code still be looked at."""
GUESSED_HOURS = 24
"""Names nobody has are told for so long."""
DOORS = MappingProxyType({"host": "命令行", "prefect": "界面表单"})
"""Where a name is given, as people read it."""
_FIRST_WAIT_S = 30.0
_LONGEST_WAIT_S = 3600.0
_NAME_LIMIT = 40
_SUBJECT_LIMIT = 120
_PERSONAL = "（疑似个人信息）"
_OLD = "口令已过期"


class NotProven(ShenguanError):  # noqa: N818 - named as the finding it is
    """The name was given without proof. ``why`` is a kind Chinese sentence; the code is nowhere in it."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(name, why)
        self.name = name
        self.why = why

    def __str__(self) -> str:
        return f"经办人 {self.name}：{self.why}"


class NoSuchAccount(ShenguanError):  # noqa: N818
    """An account cannot be made or ended as asked. ``why`` is Chinese."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(name, why)
        self.name = name
        self.why = why

    def __str__(self) -> str:
        return f"账户 {self.name}：{self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOperator:
    """A new account. Its secret is shown this once and kept sealed."""

    name: str
    secret: str
    uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorTold:
    """One account as a list shows it; wrong codes in a row, and until when the next has to wait."""

    name: str
    created_at: datetime
    last_used_at: datetime | None
    wrong_codes: int
    waits_until: datetime | None
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True)
class OperatorList:
    """Every account, living ones first."""

    operators: tuple[OperatorTold, ...]


@dataclass(frozen=True, slots=True)
class OperatorEnded:
    """The account that is no longer."""

    disabled: str


@dataclass(frozen=True, slots=True)
class OperatorUnlocked:
    """The account whose codes are looked at again, and the wrong ones that were forgiven."""

    unlocked: str
    wrong_codes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Guessed:
    """Wrong codes in a row of one account at one door (``host`` or ``prefect``)."""

    name: str
    door: str
    wrong_codes: int
    last_at: datetime
    waits_until: datetime | None


async def add_operator(ledger: Ledger, sealing: Sealing, name: str) -> NewOperator:
    """A new account with a fresh secret, for an authenticator.

    Raises:
        NoSuchAccount: a living account has this name, or it is none people can read.
    """
    name = _readable(name)
    secret, identity = one_time.new_secret(), uuid4()
    sealed = sealing.seal(SECRET_FIELD, identity, secret)
    async with ledger.writing() as conn:
        if not await operators.add(conn, identity, name, sealed):
            raise NoSuchAccount(name, "已有同名账户；要换密钥，请先停用再新建")
        await operators.write_act(conn, identity, name=name, act="operator_add", subject=name, outcome="done")
    return NewOperator(name=name, secret=one_time.spelled(secret), uri=one_time.otpauth_uri(name, secret))


async def disable_operator(ledger: Ledger, name: str) -> OperatorEnded:
    """End an account; what was done with it stays on record.

    Raises:
        NoSuchAccount: no living account has this name.
    """
    name = plain_name(name)
    async with ledger.writing() as conn:
        identity = await operators.disable(conn, name)
        if identity is None:
            raise NoSuchAccount(_said(name), "没有在用的同名账户")
        await operators.write_act(
            conn, identity, name=name, act="operator_disable", subject=name, outcome="done"
        )
    return OperatorEnded(name)


async def unlock_operator(ledger: Ledger, name: str) -> OperatorUnlocked:
    """Let an account's codes be looked at again at once; the wrong ones stay on record.

    Raises:
        NoSuchAccount: no living account has this name.
    """
    name = plain_name(name)
    async with ledger.writing() as conn:
        account = await operators.lock(conn, name)
        if account is None:
            raise NoSuchAccount(_said(name), "没有在用的同名账户")
        wrong = sum(row["wrong"] for row in await operators.guessed(conn) if row["id"] == account["id"])
        await operators.write_act(
            conn, account["id"], name=name, act="operator_unlock", subject=name, outcome="done"
        )
    return OperatorUnlocked(name, wrong)


async def list_operators(ledger: Ledger) -> OperatorList:
    """Every account; no secret."""
    async with ledger.reading() as conn:
        rows = await operators.accounts(conn)
        guesses = await operators.guessed(conn)
    told: list[OperatorTold] = []
    for row in rows:
        own = [_guessed(each) for each in guesses if each["id"] == row["id"]]
        untils = [each.waits_until for each in own if each.waits_until]
        told.append(
            OperatorTold(
                name=row["name"],
                created_at=row["created_at"],
                last_used_at=row["last_used_at"],
                disabled_at=row["disabled_at"],
                wrong_codes=sum(each.wrong_codes for each in own),
                waits_until=max(untils, default=None),
            )
        )
    return OperatorList(tuple(told))


async def read_guessed(conn: Conn) -> tuple[Guessed, ...]:
    """Accounts with so many wrong codes in a row that the next has to wait, or had to not long ago."""
    found = [_guessed(row) for row in await operators.guessed(conn) if row["wrong"] >= FREE_WRONG]
    return tuple(found)


async def prove(
    ledger: Ledger,
    sealing: Sealing,
    *,
    name: str,
    code: str,
    act: str,
    subject: str,
    asked_at: datetime | None = None,
) -> str:
    """The name, proven by a one-time code that is now used up; written down for ``act`` on ``subject``.

    ``act`` is one of ``models.ledger.tables.operators.ACTS``; ``subject`` names a case, an effect or a
    record, never a person. ``asked_at`` is when a run of Prefect was asked for, as its server noted it;
    none for a command on the host. To be called before what it is asked for, which is another
    transaction: who is turned away after it needs the next code.

    Raises:
        NotProven: no such account; a wrong, used or too old code; or one that came too soon after wrong ones.
    """
    name, subject = plain_name(name), subject[:_SUBJECT_LIMIT]
    door = "host" if asked_at is None else "prefect"
    async with ledger.writing() as conn:
        account = await operators.lock(conn, name)
        identity, step = (None if account is None else account["id"]), None
        if account is None:
            outcome, why = "unknown_name", "没有这个账户，或已停用；请由管理员用 shenguan operator add 新建"
        else:
            secret = sealing.open_sealed(SECRET_FIELD, account["id"], account["secret_sealed"])
            given_s = account["seconds"] if asked_at is None else asked_at.timestamp()
            outcome, why, step = await _judge(
                conn, account["id"], secret, code, door=door, now_s=account["seconds"], given_s=given_s
            )
        written = name[:_NAME_LIMIT] if account else _said(name)
        await operators.write_act(
            conn, identity, name=written, act=act, subject=subject, outcome=outcome, step=step, door=door
        )
    # raised outside: what was written down stays so
    if why:
        raise NotProven(written, why)
    return name


async def _judge(
    conn: Conn, identity: UUID, secret: bytes, code: str, *, door: str, now_s: float, given_s: float
) -> tuple[str, str, int | None]:
    """The outcome, what is said to the person (nothing where it is proven), and the step that is used up."""
    wrong, ago_s = await operators.wrong_in_a_row(conn, identity, door)
    if (left_s := wait_s(wrong) - ago_s) > 0:
        said = f"口令已连续错误 {wrong} 次，请约 {_spoken(left_s)}后再试"
        return "locked", f"{said}；主机上可用 shenguan operator unlock 解除", None
    age_s = now_s - given_s
    if age_s > MAX_AGE.total_seconds():
        return "expired", f"{_OLD}：提交后过了 {_spoken(age_s)}才执行，请用新的口令重新提交", None
    # a clock of Prefect's that is ahead gives nobody a code of tomorrow
    given_s = min(given_s, now_s)
    step = one_time.matching_step(secret, code, given_s)
    if step is None:
        if one_time.matched_before(secret, code, given_s, within_s=MAX_AGE.total_seconds()):
            return "expired", f"{_OLD}，不计为错误；请用验证器上此刻的 6 位数字（手机时间须准）", None
        said = "口令不对，请看验证器上当前的 6 位数字"
        if next_s := wait_s(wrong + 1):
            said = f"口令不对，已连续 {wrong + 1} 次，请约 {_spoken(next_s)}后再试"
        return "wrong_code", said, None
    if await operators.is_used(conn, identity, step):
        return "used_code", "这个口令已用过一次，请等下一个（约 30 秒）再试", None
    return "proved", "", step


def wait_s(wrong: int) -> float:
    """How long the next code waits after so many wrong ones in a row: each time twice as long, up to an hour.

    At one try an hour, three of a million codes being right, a year of guessing succeeds once in forty.
    """
    if wrong < FREE_WRONG:
        return 0.0
    return float(min(_FIRST_WAIT_S * 2.0 ** min(wrong - FREE_WRONG, 16), _LONGEST_WAIT_S))


def _guessed(row: dict[str, Any]) -> Guessed:
    left_s = wait_s(row["wrong"]) - row["ago_s"]
    until = row["last_at"] + timedelta(seconds=wait_s(row["wrong"])) if left_s > 0 else None
    return Guessed(
        name=row["name"],
        door=row["door"],
        wrong_codes=row["wrong"],
        last_at=row["last_at"],
        waits_until=until,
    )


def plain_name(name: str) -> str:
    """The one spelling of a name: two that look the same are the same person."""
    return unicodedata.normalize("NFKC", name).strip()


def _spoken(seconds: float) -> str:
    return f"{max(1, round(seconds / 60))} 分钟" if seconds >= 60 else f"{max(1, round(seconds))} 秒"  # noqa: PLR2004


def _readable(name: str) -> str:
    name = plain_name(name)
    if not name or len(name) > _NAME_LIMIT:
        raise NoSuchAccount(_said(name), f"名称应为 1 至 {_NAME_LIMIT} 个字")
    if any(unicodedata.category(sign).startswith("C") for sign in name):
        raise NoSuchAccount("（不可读）", "名称中有不可见的字符")
    if looks_personal(name):
        raise NoSuchAccount(_PERSONAL, "名称疑似身份证号或手机号，它会出现在经过与看板上；请用姓名或代号")
    return name


def _said(name: str) -> str:
    """A name that no account has, as it may be repeated: somebody may have typed a number into its place."""
    return _PERSONAL if looks_personal(name) else name[:_NAME_LIMIT]
