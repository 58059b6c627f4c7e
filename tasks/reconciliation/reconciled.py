"""What a reconciliation says: the completeness rate by department, stage and system, and what was done."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import structlog

from models.domain.errors import NotDone, ShenguanError, Unreadable
from models.domain.messages import CHANNELS, STAGES, SYSTEMS
from models.domain.workdays import business_day
from models.ledger.connection import LedgerUnavailable
from models.ledger.queries import clock, guard, reconciling
from tasks.composition import Services
from tasks.reconciliation.reconciling import reconcile_day, reconcile_texts
from tasks.reconciliation.sides import Side, sides
from tasks.restore.restoring import Restored

log = structlog.get_logger(__name__)

_KINDS = {"XK": "许可报送", "CF": "处罚报送", "sms": "短信（按回执）"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One line. ``rate`` is the share of ours that is proven there, None where there is nothing of ours.

    Texts have no look-up: theirs are the receipts that came.
    """

    system: str
    kind: str
    name: str
    department: str
    department_name: str
    stage: str
    ours: int
    theirs: int
    agreed: int
    adopted: int
    sent_again: int
    unexplained: int
    rate: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """The account of the days from ``first`` to ``last``. ``away`` are systems that could not be asked."""

    first: date
    last: date
    rate: float | None
    ours: int
    agreed: int
    adopted: int
    sent_again: int
    unexplained: int
    lines: tuple[Account, ...]
    away: tuple[str, ...]
    locked: bool
    restored: Restored | None = None


async def reconcile(
    services: Services,
    *,
    day: date | None = None,
    days: int = 1,
    restored: Restored | None = None,
    after_day: Callable[[str], None] = lambda _said: None,
) -> Reconciled:
    """Reconcile one day, or the ``days`` business days before today; today itself only when it is named.

    ``after_day`` is told of each day that was compared: many take hours, and who watches sees them move.
    A system that cannot be asked now, or whose answers surprise, is left for the next time, and named.

    Raises:
        LedgerUnavailable: there is nothing to compare with.
    """
    async with services.ledger.reading() as conn:
        today = business_day(await clock.business_now(conn))
    last = day or today - timedelta(days=1)
    wanted = [last - timedelta(days=n) for n in range(1 if day else days)][::-1]
    away: list[str] = []
    for number, each in enumerate(wanted, start=1):
        for side in sides(services):
            if not await _compared(services, side, each) and side.name not in away:
                away.append(side.name)
        await reconcile_texts(services.ledger, each)
        after_day(f"已对 {each}（第 {number}/{len(wanted)} 天）")
    return await told(services, wanted[0], last, away=away, restored=restored)


async def _compared(services: Services, side: Side, day: date) -> bool:
    """Whether this system's day was compared; its surprise stops no other day and no other system."""
    try:
        await reconcile_day(services, side, day)
    except LedgerUnavailable:
        raise
    except (NotDone, Unreadable) as failed:
        log.warning("reconcile.away", system=side.name, day=day.isoformat(), error=str(failed))
    except Exception as surprise:  # noqa: BLE001 - the others' account does not wait for it
        # A ShenguanError's sentence holds no personal data; of others only the kind is told.
        said = str(surprise) if isinstance(surprise, ShenguanError) else ""
        kind = type(surprise).__name__
        log.error("reconcile.failed", system=side.name, day=day.isoformat(), error=kind, said=said)  # noqa: TRY400
    else:
        return True
    return False


async def told(
    services: Services, first: date, last: date, *, away: Sequence[str] = (), restored: Restored | None = None
) -> Reconciled:
    """The account as the ledger holds it."""
    async with services.ledger.reading() as conn:
        rows = await reconciling.account(conn, first, last)
        locked = await guard.open_lock(conn) is not None
    lines = tuple(
        Account(
            system=row["system"],
            kind=row["kind"],
            name=_KINDS.get(row["kind"]) or CHANNELS.get(row["kind"], row["kind"]),
            department=row["department"],
            department_name=row["name"] or row["department"],
            stage=row["stage"],
            ours=row["ours"],
            theirs=row["theirs"],
            agreed=row["agreed"],
            adopted=row["adopted"],
            sent_again=row["sent_again"],
            unexplained=row["unexplained"],
            rate=_rate(row["agreed"], row["ours"]),
        )
        for row in rows
    )
    proven = [line for line in lines if line.system != "sms"]
    ours, agreed = sum(line.ours for line in proven), sum(line.agreed for line in proven)
    return Reconciled(
        first=first,
        last=last,
        rate=_rate(agreed, ours),
        ours=ours,
        agreed=agreed,
        adopted=sum(line.adopted for line in lines),
        sent_again=sum(line.sent_again for line in lines),
        unexplained=sum(line.unexplained for line in lines),
        lines=lines,
        away=tuple(away),
        locked=locked,
        restored=restored,
    )


def _rate(agreed: int, ours: int) -> float | None:
    return agreed / ours if ours else None


def percent(rate: float | None) -> str:
    """The rate for people; never rounded up to a hundred."""
    if rate is None:
        return "—"
    return "100%" if rate >= 1 else f"{min(rate * 100, 99.99):.2f}%"


def markdown(found: Reconciled) -> str:
    """The account as a page for people."""
    span = f"{found.first}" if found.first == found.last else f"{found.first} 至 {found.last}"
    rows = [
        f"# 对账 {span}",
        "",
        (
            f"完整率 **{percent(found.rate)}**：本方记为对方已接收 {found.ours} 项，"
            f"对方确有 {found.agreed} 项；补认 {found.adopted}，补发 {found.sent_again}，"
            f"待人工 {found.unexplained}。"
        ),
        "",
    ]
    rows += [f"- {SYSTEMS.get(name, name)}这次未能核对完，下次再对" for name in found.away]
    if found.locked:
        rows.append("- 外发仍处于锁定")
    rows += ["", "| 系统 | 事项 | 部门 | 环节 | 本方 | 对方 | 一致 | 补认 | 补发 | 待人工 | 完整率 |"]
    rows += ["|--|--|--|--|--:|--:|--:|--:|--:|--:|--:|"]
    rows += [
        f"| {SYSTEMS.get(line.system, line.system)} | {line.name} | {line.department_name or '—'}"
        f" | {STAGES.get(line.stage, '—')} | {line.ours} | {line.theirs} | {line.agreed} | {line.adopted}"
        f" | {line.sent_again} | {line.unexplained} | {percent(line.rate)} |"
        for line in found.lines
    ]
    return "\n".join(rows)


def sentences(found: Reconciled) -> Iterator[str]:
    """The account in lines for a terminal."""
    span = f"{found.first}" if found.first == found.last else f"{found.first} 至 {found.last}"
    yield (
        f"对账 {span}：完整率 {percent(found.rate)}（本方 {found.ours}，一致 {found.agreed}）；"
        f"补认 {found.adopted}，补发 {found.sent_again}，待人工 {found.unexplained}"
    )
    for line in found.lines:
        if line.ours != line.agreed or line.unexplained or line.adopted or line.sent_again:
            place = f" {line.department_name}" if line.department_name else ""
            yield (
                f"  {SYSTEMS.get(line.system, line.system)} {line.name}{place}：本方 {line.ours}，"
                f"对方 {line.theirs}，一致 {line.agreed}，补认 {line.adopted}，补发 {line.sent_again}，"
                f"待人工 {line.unexplained}"
            )
    yield from (f"  {SYSTEMS.get(name, name)}这次未能核对完，下次再对" for name in found.away)
    if (back := found.restored) is not None:
        yield (
            f"恢复后核对（自 {back.since} 起）：补认 {back.adopted}（其中版本按对方所存 {back.taken_over}），"
            f"暂挂短信 {back.texts_held}，"
            f"不能证明是否已告知的消息 {back.news_held}，待人工 {back.unexplained}"
        )
        if back.evidence:
            yield back.evidence
        if back.waiting_for:
            hosts = "、".join(back.waiting_for)
            yield f"仍锁定：还须在这些主机上运行 shenguan reconcile --after-restore：{hosts}"
        else:
            yield "外发已开锁"
