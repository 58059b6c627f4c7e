"""`shenguan evidence`: what proves what was done; and how anybody can check it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli_output import Json, begin_work, busy, say
from flows.cli_signing import By, Code, code_of, signed

if TYPE_CHECKING:
    from models.evidence.audit import Finding
    from models.evidence.heads import Head
    from models.evidence.pack import PackVerified
    from models.evidence.signing import Verifier
    from tasks.evidence.log import LogVerified

evidence = typer.Typer(help="留痕：封存、核验、证据包。", no_args_is_help=True, rich_markup_mode=None)
PublicKey = Annotated[
    Path | None,
    typer.Option("--key", help="公钥文件（PEM）；不写则用签名密钥旁的公钥，核验证据包时用包内公钥"),
]
PackFile = Annotated[Path | None, typer.Argument(metavar="[证据包]", help="证据包文件；不写则核验整份日志")]
Kept = Annotated[
    Path | None, typer.Option("--head", help="另行保存的签名头（一行 JSON）：能发现整份日志被替换或回退")
]
_EXPORT = """把一件办件的留痕导出为证据包：每条留痕、在日志中的证明、签名头、公钥、中文目录。

不加 --open 时原文保持密封。加 --open 附上明文与盐（含个人信息），须经办人账户与一次性口令，并记入台账。"""
_FORGET = """销毁一件办件的当事人的数据密钥：其密封内容从此无人能打开，留痕日志仍可核验。不可恢复。

一人申请，另一人再执行一次即为确认，各用自己的账户与一次性口令。当事人的办件须全部闭环，动作须全部了结。
备份中的密钥随备份到期消失；其他进程最迟十分钟后忘记。理由中不要写当事人信息。"""
_RESUME = """从备份恢复台账之后，让留痕日志从台账仍有的最后一个签名头续接。

其后的签名头移入 heads.lost-*.jsonl 保存；丢失了多少、由谁续接，记为一条留痕。须经办人账户与一次性口令；
说明中不要写当事人信息。
保存过更新签名头的人仍能看出中断。"""
_VERIFY = """核验一个证据包，或（不写文件）核验整份留痕日志：逐条比对数据库与库外的签名头。

证据包的核验不需要数据库与密钥。发现改动、删除、调换、截短、整份替换或签名头回退时退出码 1，
第一行即第一条不符的留痕（位置与编号）。"""


def register(app: typer.Typer) -> None:
    """Put the commands on the command line."""
    app.add_typer(evidence, name="evidence")
    evidence.command("verify", help=_VERIFY)(verify)
    evidence.command("export", help=_EXPORT)(export)
    evidence.command("forget", help=_FORGET)(forget)
    evidence.command("resume", help=_RESUME)(resume)


def verify(
    pack: PackFile = None,
    key: PublicKey = None,
    head: Kept = None,
    archive: Annotated[
        Path | None, typer.Option("--archive", help="归档文件所在的文件夹：一并核对已移出台账的月份")
    ] = None,
    json_out: Json = False,
) -> None:
    """See _VERIFY."""
    from flows.cli_findings import FINDINGS, FINE

    verifier, kept = _verifier(key), _kept(head)
    if pack is not None:
        from models.evidence.pack import verify_pack

        told = verify_pack(pack, verifier, kept=kept)
        say(told, _pack_lines(told), json_out=json_out)
        raise typer.Exit(FINDINGS if told.findings else FINE)
    whole = _verify_log(verifier, kept, archive)
    say(whole, _log_lines(whole), json_out=json_out)
    raise typer.Exit(FINDINGS if whole.findings else FINE)


def export(
    case_no: Annotated[str, typer.Argument(metavar="办件编号")],
    out: Annotated[Path | None, typer.Option("--out", help="证据包文件；不写则为 办件编号.zip")] = None,
    opened: Annotated[bool, typer.Option("--open", help="附上明文与盐（个人信息）")] = False,
    by: Annotated[str | None, typer.Option("--by", help="经办人账户，--open 时必须")] = None,
    code: Code = None,
    since: Annotated[
        Path | None, typer.Option("--since", help="对方保存的签名头：附上日志自那时延续至今的证明")
    ] = None,
    json_out: Json = False,
) -> None:
    """See _EXPORT."""
    from models.evidence.folder import EvidenceFolder
    from models.evidence.signing import SigningKeyBroken
    from tasks.composition import open_services
    from tasks.evidence.export import Exported, export_case

    if opened and not by:
        raise typer.BadParameter("附明文须有经办人：请加 --by", param_hint="--by")
    said = code_of(code) if opened else ""
    kept = _kept(since)
    settings = begin_work(log_level="warning")
    if settings.evidence_key_file is None:
        raise SigningKeyBroken("SHENGUAN_EVIDENCE_KEY_FILE", "未设置：请在封存留痕的主机上导出")
    verifier = _own_key(settings.evidence_key_file)

    async def run() -> Exported:
        async with open_services() as services:
            if opened and by:
                await signed(services, by=by, code=said, act="evidence_open", subject=case_no)
            await services.sealer.seal(now=True)
            return await export_case(
                services.ledger,
                EvidenceFolder(settings.evidence_folder),
                verifier,
                case_no,
                out or Path(f"{case_no}.zip"),
                opens=services.sealing if opened else None,
                since=kept,
            )

    done = asyncio.run(run())
    more = f"，{done.closed} 条已无法打开" if done.closed else ""
    line = (
        f"已写出 {done.file}：{done.leaves} 条留痕，{done.opened} 条附明文{more}；"
        f"签名头 {done.size} 条，公钥 {done.key}"
    )
    say(done, [line], json_out=json_out)


def _own_key(key_file: Path) -> "Verifier":
    from models.evidence.signing import Signer

    return Signer.load(key_file).verifier


def forget(
    case_no: Annotated[str, typer.Argument(metavar="办件编号", help="该当事人的任一办件")],
    by: By,
    note: Annotated[str, typer.Option("--note", help="依据或理由", min=1, max=200)],
    code: Code = None,
    json_out: Json = False,
) -> None:
    """See _FORGET."""
    from tasks.composition import open_services
    from tasks.evidence.forgetting import ForgetTold
    from tasks.evidence.forgetting import forget as ask_or_confirm

    said = code_of(code)

    async def run() -> ForgetTold:
        async with open_services() as services:
            return await ask_or_confirm(
                services.ledger, services.sealing, case_no, by=by, code=said, note=note
            )

    begin_work(log_level="warning")
    done = asyncio.run(run())
    if done.step == "asked":
        line = f"已申请销毁 {case_no} 当事人的密钥（{done.asked_by}）；请另一人用自己的账户再执行一次"
    else:
        line = f"已销毁 {done.keys} 把密钥（{done.asked_by} 申请，{done.confirmed_by} 确认），内容不可恢复"
    say(done, [line], json_out=json_out)


def resume(
    by: By,
    note: Annotated[str, typer.Option("--note", help="何时从哪份备份恢复", min=1, max=200)],
    code: Code = None,
    json_out: Json = False,
) -> None:
    """See _RESUME."""
    from models.evidence.folder import EvidenceFolder
    from models.evidence.signing import SigningKeyBroken
    from tasks.composition import open_services
    from tasks.resuming import Resumed
    from tasks.resuming import resume as go_on

    said = code_of(code)
    settings = begin_work(log_level="warning")
    if settings.evidence_key_file is None:
        raise SigningKeyBroken("SHENGUAN_EVIDENCE_KEY_FILE", "未设置：请在封存留痕的主机上执行")
    verifier = _own_key(settings.evidence_key_file)

    async def run() -> Resumed:
        async with open_services() as services:
            folder = EvidenceFolder(settings.evidence_folder)
            name = await signed(services, by=by, code=said, act="evidence_resume", subject=str(folder.path))
            return await go_on(services.ledger, folder, verifier, by=name, note=note)

    done = asyncio.run(run())
    line = (
        f"从第 {done.size} 条续接；丢失 {done.lost_leaves} 条留痕、{done.lost_heads} 个签名头，"
        f"签名头保存在 {done.lost}"
    )
    say(done, [line], json_out=json_out)


def _verifier(key: Path | None) -> "Verifier | None":
    from models.evidence.signing import SigningKeyBroken, Verifier

    if key is None:
        return None
    try:
        return Verifier.from_pem(key.read_bytes(), said=str(key))
    except OSError as unreadable:
        raise SigningKeyBroken(str(key), f"无法读取（{unreadable.strerror}）") from unreadable


def _kept(head: Path | None) -> "Head | None":
    from models.evidence.heads import HeadUnreadable, read_head

    if head is None:
        return None
    try:
        lines = head.read_bytes().splitlines()
    except OSError as unreadable:
        raise HeadUnreadable(f"{head}（{unreadable.strerror}）") from unreadable
    if not lines:
        raise HeadUnreadable(f"{head} 是空的")
    return read_head(lines[-1])


def _verify_log(verifier: "Verifier | None", kept: "Head | None", archive: Path | None) -> "LogVerified":
    from models.evidence.folder import EvidenceFolder
    from models.evidence.signing import SigningKeyBroken, public_file
    from models.ledger.connection import Ledger
    from tasks.evidence.log import LogVerified, verify_log

    settings = begin_work(log_level="warning")
    if verifier is None and settings.evidence_key_file is not None:
        verifier = _verifier(public_file(settings.evidence_key_file))
    if verifier is None:
        raise SigningKeyBroken("--key", "请给出公钥文件")
    key = verifier

    async def run() -> LogVerified:
        url = settings.database_url.get_secret_value()
        async with Ledger.open(url, max_size=1, statement_timeout_s=3600) as ledger:
            folder = EvidenceFolder(settings.evidence_folder)
            return await verify_log(ledger, folder, key, kept=kept, archive=archive)

    with busy("核验留痕日志"):
        return asyncio.run(run())


def _log_lines(told: "LogVerified") -> Iterator[str]:
    if told.findings:
        yield from _finding_lines(told.findings)
        yield f"共 {told.bad} 条留痕不符；可证明的到第 {told.proven} 条（{told.heads} 个签名头）"
    else:
        waits = f"，另有 {told.leaves - told.proven} 条待下一个签名头" if told.leaves > told.proven else ""
        said = "留痕日志中核对过的无不符" if told.archived else "留痕日志完整"
        yield (
            f"{said}：{told.proven} 条，{told.heads} 个签名头，最后 {told.head_at or '—'}{waits}；"
            f"公钥 {told.key}"
        )
    if told.archived_read:
        yield f"其中 {told.archived_read} 条在归档文件中，已一并核对"
    if told.archived:
        yield f"另有 {told.archived} 条已归档，没有核对其内容：请加 --archive 文件夹"


def _pack_lines(told: "PackVerified") -> Iterator[str]:
    yield from _finding_lines(told.findings)
    where = "（公钥取自包内，请与公布的公钥编号核对）" if told.own_key else ""
    said = "有不符之处" if told.findings else "证据包无误"
    yield (
        f"{said}：办件 {_printable(told.case_no)}，{told.leaves} 条留痕，其中 {told.opened} 条附明文；"
        f"签名头 {told.size} 条，{told.head_at}；公钥 {told.key}{where}"
    )


def _printable(text: str) -> str:
    """The text, what moves a terminal's cursor or hides in it spelled out: a pack's bearer wrote it."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def _finding_lines(findings: "tuple[Finding, ...]") -> Iterator[str]:
    for at, each in enumerate(findings):
        first = "首个不符：" if at == 0 else "  "
        yield f"{first}{each.said}" + (f"（编号 {each.own_id}）" if each.own_id else "")
