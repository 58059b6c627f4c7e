"""The doctor: settings, keys, database, clock, disk, calendar. What is outside: ``tasks.doctor.outside``."""

import asyncio
import shutil
import sys
from collections.abc import Awaitable
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from config.calendar import CalendarFileWrong, load_working_days
from config.city import City, CityFilesWrong, load_city
from config.settings import Settings, SettingsWrong, load_settings
from models.domain.workdays import Calendar
from models.ledger import migrate
from models.ledger.connection import Ledger, LedgerUnavailable
from models.ledger.keyring import Keyring, KeyringBroken
from models.ledger.queries import standing
from models.ledger.server import OLDEST_MAJOR, Server, look
from tasks.doctor.diagnosis import Diagnosis, Finding, attention, bad, fine
from tasks.doctor.evidence import look_at_evidence
from tasks.doctor.journal import look_at_journal
from tasks.doctor.operators import look_at_operators
from tasks.doctor.outside import look_outside
from tasks.months_watch import look_at_months

PREFECT = "3.8.8"
_GIB = 1024**3
_DISK_BAD, _DISK_LOW = 1 * _GIB, 5 * _GIB
_SKEW_BAD_S, _SKEW_S = 60.0, 2.0
_FEED_SILENT_S = 300.0
_AWAY = "确认 PostgreSQL 在运行、地址与口令正确；恢复后一切自动继续"


async def examine(project: Path) -> Diagnosis:
    """Look at everything there is to look at; nothing is changed, here or outside."""
    found = [_python()]
    try:
        settings = load_settings()
    except SettingsWrong as wrong:
        found += [bad("设置", problem, "改正该环境变量（见 docs/settings.md）") for problem in wrong.problems]
        return Diagnosis((*found, _disk(project)))
    found.append(fine("设置", "全部可用"))
    city, told = _city(settings)
    found += told
    found += _keys(settings)
    found += await _database(settings, city)
    found += await look_outside(settings, project, prefect_version=PREFECT)
    found.append(_disk(settings.var_dir if settings.var_dir.exists() else project))
    return Diagnosis(tuple(found))


def _python() -> Finding:
    try:
        installed = version("prefect")
    except PackageNotFoundError:
        return bad("程序", "没有安装 prefect", "在项目目录运行 make 重新安装")
    running = f"Python {sys.version_info.major}.{sys.version_info.minor}，prefect {installed}"
    if installed != PREFECT:
        return bad("程序", running, f"应为 prefect {PREFECT}：在项目目录运行 make 重新安装")
    return fine("程序", running)


def _city(settings: Settings) -> tuple[City | None, list[Finding]]:
    try:
        city = load_city(settings.city, settings.city_root)
        calendar = Calendar(*load_working_days(city.folder / "calendar.toml"))
    except CityFilesWrong as wrong:
        return None, [bad("城市配置", problem, f"改正 config/{settings.city}") for problem in wrong.problems]
    except CalendarFileWrong as wrong:
        return None, [bad("日历", problem, "改正 calendar.toml") for problem in wrong.problems]
    listed = f"清单 {city.catalog.version}，事项 {len(city.catalog.items)}，部门 {len(city.departments)}"
    return city, [fine("城市配置", listed), _calendar(calendar, datetime.now(UTC).date())]


def _calendar(calendar: Calendar, today: date) -> Finding:
    if calendar.is_provisional(today.year):
        return bad(
            "日历",
            f"{today.year} 年的工作日未知，按周一至周五暂算",
            "补录 calendar.toml 或升级 chinesecalendar",
        )
    if calendar.is_provisional(today.year + 1):
        said = f"{today.year + 1} 年的工作日未知，跨年期限按周一至周五暂算"
        return attention("日历", said, "国务院办公厅通知公布后补录 calendar.toml")
    return fine("日历", f"{today.year} 与 {today.year + 1} 年的工作日已知")


def _keys(settings: Settings) -> list[Finding]:
    try:
        keyring = Keyring.load(settings.seal_keys_file)
    except KeyringBroken as broken:
        return [bad("密封密钥", broken.reason, "从备份恢复密钥文件；没有它，台账中的密封内容无法读出")]
    current = keyring.seal_keys[keyring.seal_current]
    held = f"{len(keyring.seal_keys)} 把，现用第 {current.key_id} 把（{current.algorithm}）"
    if current.algorithm != settings.seal_algorithm:
        todo = f"设置要求 {settings.seal_algorithm}：运行 shenguan keys rotate"
        return [attention("密封密钥", held, todo)]
    return [fine("密封密钥", held)]


async def _database(settings: Settings, city: City | None) -> list[Finding]:
    url = settings.database_url.get_secret_value()
    try:
        server = await asyncio.to_thread(look, url)
        machine = datetime.now(UTC)
        revision = await asyncio.to_thread(migrate.current, url)
    except LedgerUnavailable as away:
        return [bad("台账数据库", str(away), _AWAY)]
    found = [*_server(server), _skew((server.now - machine).total_seconds()), _schema(revision)]
    if revision == migrate.head():
        looks = await asyncio.gather(
            _told("清单与联络员", _loaded(url, city)),
            _told("留痕", look_at_evidence(settings)),
            _told("外发日志", look_at_journal(settings)),
            _told("分月", _months(url)),
        )
        found += [finding for each in looks for finding in each]
    return found


async def _told(what: str, look: Awaitable[list[Finding]]) -> list[Finding]:
    """What a look finds; one line where the ledger did not answer it: the others are told all the same."""
    try:
        return await look
    except LedgerUnavailable as away:
        return [bad(what, f"没有看成：{away}", _AWAY)]


async def _months(url: str) -> list[Finding]:
    async with Ledger.open(url, max_size=1) as ledger:
        return await look_at_months(ledger)


def _server(server: Server) -> list[Finding]:
    name = f"PostgreSQL {server.major}，角色 {server.role}"
    if server.major < OLDEST_MAJOR:
        return [bad("台账数据库", name, f"需要 PostgreSQL {OLDEST_MAJOR} 或更新")]
    if server.unsafe:
        said = f"{name}；{'、'.join(server.unsafe)}"
        return [bad("台账数据库", said, "打开这些设置，否则已提交的内容可能丢失")]
    if server.superuser:
        return [attention("台账数据库", f"{name} 是超级用户", "改用应用角色 shenguan_app 的连接")]
    return [fine("台账数据库", f"{name}，提交可靠")]


def _skew(seconds: float) -> Finding:
    said = f"本机与数据库相差 {abs(seconds):.1f} 秒"
    if abs(seconds) > _SKEW_BAD_S:
        return bad("时钟", said, "对时（NTP）；签名与领取时限都会出错")
    if abs(seconds) > _SKEW_S:
        return attention("时钟", said, "对时（NTP）")
    return fine("时钟", said)


def _schema(revision: str | None) -> Finding:
    head = migrate.head()
    if revision == head:
        return fine("数据库结构", f"已是最新（{head}）")
    return bad("数据库结构", f"现为 {revision or '空库'}，程序需要 {head}", "运行 shenguan migrate")


async def _loaded(url: str, city: City | None) -> list[Finding]:
    async with Ledger.open(url, max_size=1) as ledger, ledger.reading() as conn:
        versions = await standing.catalog_versions(conn)
        liaisons = await standing.liaison_count(conn)
        feeds = await standing.feeds(conn)
        found = await look_at_operators(conn)
    if city is not None and city.catalog.version not in versions:
        said = f"台账中没有清单 {city.catalog.version}"
        found.append(bad("清单", said, "运行 shenguan load-city"))
    if not liaisons:
        found.append(
            attention("联络员", "台账中没有联络员，短信无人可发", "运行 shenguan load-city --liaisons 名单")
        )
    else:
        found.append(fine("联络员", f"{liaisons} 人次在册"))
    if silent := [row for row in feeds if row["age_s"] > _FEED_SILENT_S]:
        minutes = max(row["age_s"] for row in silent) / 60
        todo = "确认 shenguan dispatch 在运行；再看对方接口"
        found.append(attention("分发", f"有 {len(silent)} 个数据源超过 {minutes:.0f} 分钟没有读取", todo))
    elif feeds:
        found.append(fine("分发", f"{len(feeds)} 个数据源在按时读取"))
    return found


def _disk(place: Path) -> Finding:
    free = shutil.disk_usage(place).free
    said = f"剩余 {free / _GIB:.1f} GiB"
    if free < _DISK_BAD:
        return bad("磁盘", said, "立即清理；写满后 PostgreSQL 会停止")
    if free < _DISK_LOW:
        return attention("磁盘", said, "安排清理或扩容")
    return fine("磁盘", said)
