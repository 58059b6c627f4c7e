"""Names that count: accounts with one-time codes, asked for where somebody answers for what is done.

Prefect's login is one shared secret, so it says nothing about who. A code is taken once, by the
database's clock, and every use is written down, right or wrong, before what it was given for is done.
"""

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from models.domain.errors import ShenguanError
from models.ledger import one_time
from models.ledger.bulk import Conn
from models.ledger.connection import Ledger
from models.ledger.queries import operators
from models.ledger.sealing import Sealing

SECRET_FIELD = "operators.secret"  # noqa: S105 - a field's name
LOCK_AFTER = 5
"""Wrong codes in a row until the account rests."""
_LOCK_S = 300.0
_LONGEST_LOCK_S = 12 * 3600.0
_NAME_LIMIT = 40
_SUBJECT_LIMIT = 120


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
    """One account as a list shows it."""

    name: str
    created_at: datetime
    last_used_at: datetime | None
    wrong_codes: int
    locked_until: datetime | None
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True)
class OperatorList:
    """Every account, living ones first."""

    operators: tuple[OperatorTold, ...]


@dataclass(frozen=True, slots=True)
class OperatorEnded:
    """The account that is no longer."""

    disabled: str


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
    async with ledger.writing() as conn:
        identity = await operators.disable(conn, name)
        if identity is None:
            raise NoSuchAccount(name, "没有在用的同名账户")
        await operators.write_act(
            conn, identity, name=name, act="operator_disable", subject=name, outcome="done"
        )
    return OperatorEnded(name)


async def list_operators(ledger: Ledger) -> OperatorList:
    """Every account; no secret."""
    async with ledger.reading() as conn:
        return OperatorList(tuple(OperatorTold(**row) for row in await operators.accounts(conn)))


async def prove(ledger: Ledger, sealing: Sealing, *, name: str, code: str, act: str, subject: str) -> str:
    """The name, proven by a one-time code that is now used up; written down for ``act`` on ``subject``.

    ``act`` is one of ``models.ledger.tables.operators.ACTS``; ``subject`` names a case, an effect or a
    record, never a person. To be called before what it is asked for, which is another transaction: who
    is turned away after it needs the next code.

    Raises:
        NotProven: no such account, a wrong or used code, or too many wrong ones.
    """
    name, subject = plain_name(name), subject[:_SUBJECT_LIMIT]
    async with ledger.writing() as conn:
        account = await operators.lock(conn, name)
        if account is None:
            raise NotProven(name, "没有这个账户，或已停用；请由管理员用 shenguan operator add 新建")
        step: int | None = None
        if account["locked_for"] > 0:
            outcome, why = "locked", f"口令错误次数较多，请约 {_minutes(account['locked_for'])} 后再试"
        else:
            secret = sealing.open_sealed(SECRET_FIELD, account["id"], account["secret_sealed"])
            step = one_time.matching_step(secret, code, account["seconds"])
            if step is None:
                outcome, why = (
                    "wrong_code",
                    await _count_wrong(conn, account["id"], account["wrong_codes"] + 1),
                )
            elif await operators.is_used(conn, account["id"], step):
                outcome, why, step = "used_code", "这个口令已用过一次，请等下一个（约 30 秒）再试", None
            else:
                outcome, why = "proved", ""
                await operators.count_wrong(conn, account["id"], wrong_codes=0, lock_s=0)
        await operators.write_act(
            conn, account["id"], name=name, act=act, subject=subject, outcome=outcome, step=step
        )
    # raised outside: what was counted stays counted
    if why:
        raise NotProven(name, why)
    return name


async def _count_wrong(conn: Conn, identity: UUID, wrong: int) -> str:
    """Note the wrong codes in a row; what is said about it."""
    rounds, left = divmod(wrong, LOCK_AFTER)
    # Each further round of wrong codes rests twice as long: guessing never comes to an end.
    lock_s = min(_LOCK_S * 2.0 ** min(rounds - 1, 16), _LONGEST_LOCK_S) if left == 0 else 0.0
    await operators.count_wrong(conn, identity, wrong_codes=wrong, lock_s=lock_s)
    if lock_s:
        return f"口令不对，已连续 {wrong} 次，为安全起见暂停 {_minutes(lock_s)}"
    return f"口令不对，请看验证器上当前的 6 位数字（再错 {LOCK_AFTER - left} 次将暂停一会儿）"


def plain_name(name: str) -> str:
    """The one spelling of a name: two that look the same are the same person."""
    return unicodedata.normalize("NFKC", name).strip()


def _minutes(seconds: float) -> str:
    return f"{max(1, round(seconds / 60))} 分钟"


def _readable(name: str) -> str:
    name = plain_name(name)
    if not name or len(name) > _NAME_LIMIT:
        raise NoSuchAccount(name[:_NAME_LIMIT], f"名称应为 1 至 {_NAME_LIMIT} 个字")
    if any(unicodedata.category(sign).startswith("C") for sign in name):
        raise NoSuchAccount("（不可读）", "名称中有不可见的字符")
    return name
