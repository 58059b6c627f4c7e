"""The doctor's look at what is outside: the three systems, our own listener, Prefect. Nothing is changed."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from adapters.credit.client import CreditClient
from adapters.exchange import Exchange
from adapters.platform.client import PlatformClient
from adapters.prefect_api.health import Deployed, PrefectHealth, declared
from adapters.prefect_api.values import PrefectSaidNo
from adapters.reach import why_not_reached
from adapters.signing import make_signer
from adapters.transport import Transport
from config.settings import Settings, Signed
from models.domain.errors import NotDone, OutcomeUnknown, Unreadable
from models.domain.reasons import answer_name
from tasks.doctor.diagnosis import Finding, attention, bad, fine
from tasks.doctor.house import look_at_house

_PATIENCE_S = 8.0
_NOBODY = "PSDOCTORASKSAFTERNOTHING"
"""An own id that no effect has: asking after it changes nothing, and proves address, key and clock."""


async def look_outside(settings: Settings, project: Path, *, prefect_version: str) -> list[Finding]:
    """The outside systems, the listener and Prefect, asked side by side."""
    found = await asyncio.gather(
        _platform(settings.platform),
        _credit(settings.credit),
        _gateway(settings),
        _listener(settings),
        _prefect(settings, project, prefect_version),
    )
    return [finding for group in found for finding in group]


async def _platform(signed: Signed) -> list[Finding]:
    async with _exchange(signed, "platform") as exchange:
        return [await _asked("政务服务平台", PlatformClient(exchange).find("push", _NOBODY))]


async def _credit(signed: Signed) -> list[Finding]:
    async with _exchange(signed, "credit") as exchange:
        return [await _asked("信用系统", CreditClient(exchange).find(_NOBODY))]


def _exchange(signed: Signed, target: str) -> Exchange:
    signer = make_signer(
        signed.signing, key_id=signed.key_id, secret=signed.secret.get_secret_value().encode()
    )
    return Exchange(Transport(signed.url, target=target, connections=1), signer, deadline_s=_PATIENCE_S)


async def _asked(what: str, question: Awaitable[Any]) -> Finding:
    try:
        await question
    except Unreadable as broken:
        return bad(what, f"答复不合约定（{broken.rule}）", "核对地址是否指向约定的接口，并联系对方")
    except NotDone as away:
        if away.reason.startswith(("signature", "unknown-key", "nonce")):
            return bad(what, answer_name(away.reason), "核对密钥编号、密钥、签名方式与本机时钟")
        return bad(what, answer_name(away.reason), "核对地址与网络；恢复后自动继续，其间办件为待推送")
    return fine(what, "可达，签名被接受")


async def _gateway(settings: Settings) -> list[Finding]:
    """A connection only: every request to a gateway of this kind would be a text."""
    found = []
    for what, gateway in (("短信网关", settings.sms), ("备用短信网关", settings.second_sms)):
        if gateway is None:
            continue
        why = await why_not_reached(gateway.url)
        if why:
            found.append(bad(what, f"连接不上（{why}）", "核对地址与网络；恢复后自动继续"))
        else:
            found.append(fine(what, "可达（只试连接，不发短信）"))
    return found


async def _listener(settings: Settings) -> list[Finding]:
    host = settings.listener_host if settings.listener_host not in {"0.0.0.0", "::"} else "127.0.0.1"  # noqa: S104
    why = await why_not_reached(f"http://{host}:{settings.listener_port}")
    if why:
        said = f"{host}:{settings.listener_port} 没有应答（{why}）"
        return [attention("回执监听", said, "运行 shenguan listen；其间短信回执由网关重投")]
    return [fine("回执监听", f"{host}:{settings.listener_port} 在监听")]


async def _prefect(settings: Settings, project: Path, wanted: str) -> list[Finding]:
    if settings.prefect_api_url is None:
        return [attention("Prefect", "未设置 PREFECT_API_URL", "没有界面与定时巡检；分发不受影响")]
    auth = settings.prefect_api_auth.get_secret_value() if settings.prefect_api_auth else None
    try:
        async with PrefectHealth(settings.prefect_api_url, auth=auth) as prefect:
            version, deployed = await prefect.version(), await prefect.deployed()
            house = await look_at_house(settings)
    except PrefectSaidNo as said:
        todo = "核对 PREFECT_API_AUTH_STRING" if said.status in {401, 403} else "查看 Prefect 服务日志"
        return [bad("Prefect", f"应答 {said.status}", todo)]
    except (NotDone, OutcomeUnknown, Unreadable) as away:
        todo = "启动 Prefect 服务；其间推送、短信照常，只是界面不更新"
        return [bad("Prefect", f"没有应答（{type(away).__name__}）", todo)]
    found = [fine("Prefect", f"版本 {version}")]
    if version != wanted:
        found = [bad("Prefect", f"服务版本 {version}", f"应为 {wanted}")]
    return [*found, *_deployments(deployed, project), *house]


def _deployments(deployed: tuple[Deployed, ...], project: Path) -> list[Finding]:
    try:
        names = declared(project / "prefect.yaml")
    except ValueError as wrong:
        return [bad("部署", str(wrong), "改正 prefect.yaml")]
    there = [each.name for each in deployed]
    found: list[Finding] = []
    if missing := [name for name in names if name not in there]:
        found.append(bad("部署", f"缺少 {'、'.join(missing)}", "运行 prefect deploy --all"))
    if twice := sorted({name for name in there if there.count(name) > 1}):
        found.append(attention("部署", f"同名多份：{'、'.join(twice)}", "在界面中删去旧的一份"))
    for each in deployed:
        if each.doubled:
            said = f"{each.name} 的定时 {'、'.join(each.doubled)} 设了不止一份"
            found.append(attention("定时", said, "在界面中删去多余的定时"))
    if stopped := [each.name for each in deployed if each.paused and each.name in names]:
        found.append(attention("定时", f"已暂停：{'、'.join(stopped)}", "如非有意，在界面中恢复"))
    if not found:
        listed = (
            f"{len(names)} 个部署齐全" if names else f"{len(deployed)} 个部署（当前目录没有 prefect.yaml）"
        )
        found.append(fine("部署", listed))
    return found
