"""What is done once for an installation: `provision`, `migrate` and the files of `keys`."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.cli_output import Json, busy, say

Algorithm = Literal["aes-256-gcm", "sm4-gcm"]
KeyFile = Annotated[Path, typer.Argument(metavar="文件", help="密钥文件（SHENGUAN_SEAL_KEYS_FILE 所指）")]
keys = typer.Typer(help="密封密钥。", no_args_is_help=True, rich_markup_mode=None)
_PROVISION = """在市里的 PostgreSQL 上建立角色与数据库，并写出连接地址文件（权限 0600）。

超级用户连接取自环境变量 SHENGUAN_SUPERUSER_URL，未设置时在终端上询问；从不写在命令行里，
也不留在文件里。可重复执行：口令只抽取一次，已建的保持不动。之后运行 shenguan migrate。"""


def register(app: typer.Typer) -> None:
    """Put the commands on the command line."""
    app.command(help=_PROVISION)(provision)
    app.command()(migrate)
    app.add_typer(keys, name="keys")
    keys.command("create")(create)
    keys.command("rotate")(rotate)
    keys.command("rewrap")(rewrap)
    keys.command("evidence")(evidence)


def provision(
    folder: Annotated[Path, typer.Option(help="口令与连接地址所在的文件夹（权限 0700）")] = Path(
        "var/provision"
    ),
    json_out: Json = False,
) -> None:
    """See _PROVISION."""
    from config.surroundings import superuser_url
    from flows.cli_findings import USAGE

    url = superuser_url()
    if url is None and sys.stdin.isatty():
        url = typer.prompt("超级用户连接（postgresql://…，不回显）", hide_input=True)
    if not url:
        typer.echo("没有超级用户连接：请设置 SHENGUAN_SUPERUSER_URL，或在终端上运行", err=True)
        raise typer.Exit(USAGE)
    from tasks.setting_up import provision_server

    with busy("建立角色与数据库"):
        done = provision_server(url, folder)
    lines = [
        f"角色 {'、'.join(done.roles)}；数据库 {'、'.join(done.databases)}",
        f"连接地址在 {done.addresses}。下一步：载入其中的变量，运行 shenguan migrate",
    ]
    say(done, lines, json_out=json_out)


def migrate(json_out: Json = False) -> None:
    """把台账的表升级到本版程序所需（用属主角色 SHENGUAN_OWNER_DATABASE_URL）；已是最新则不变。"""
    from config.owner_settings import owner_database_url
    from tasks.setting_up import migrate_ledger

    url = owner_database_url()
    with busy("升级台账"):
        done = migrate_ledger(url)
    said = "已是最新" if done.before == done.after else f"已由 {done.before or '空库'} 升级"
    say(done, [f"台账结构 {done.after}：{said}"], json_out=json_out)


def create(
    file: KeyFile,
    algorithm: Annotated[Algorithm, typer.Option(help="密封算法")] = "aes-256-gcm",
    json_out: Json = False,
) -> None:
    """新建密钥文件（权限 0600）；已有的从不覆盖。请另行备份：没有它，密封内容无法读出。"""
    from tasks.setting_up import create_keys

    done = create_keys(file, algorithm)
    say(done, [f"已建立 {done.file}（{done.algorithm}）；请立即另行备份"], json_out=json_out)


def evidence(
    file: Annotated[Path, typer.Argument(metavar="文件", help="SHENGUAN_EVIDENCE_KEY_FILE 所指")],
    json_out: Json = False,
) -> None:
    """新建留痕签名密钥（Ed25519，权限 0600），公钥写在旁边；已有的从不覆盖。请公布公钥编号。"""
    from tasks.setting_up import create_evidence_key

    done = create_evidence_key(file)
    lines = [
        f"已建立 {done.file}；公钥 {done.public}，编号 {done.key}",
        "请公布公钥编号，并把公钥交给核验的人",
    ]
    say(done, lines, json_out=json_out)


def rewrap(json_out: Json = False) -> None:
    """轮换之后，把各当事人的数据密钥改由现用密钥包裹；密封的内容不动，可随时中断重来。"""
    import asyncio

    from flows.cli_output import begin_work
    from models.ledger.connection import Ledger
    from models.ledger.keyring import Keyring
    from models.ledger.sealing import Sealing
    from tasks.evidence.rewrapping import Rewrapped
    from tasks.evidence.rewrapping import rewrap as wrap_again

    settings = begin_work(log_level="warning")
    sealing = Sealing(Keyring.load(settings.seal_keys_file))

    async def run() -> Rewrapped:
        async with Ledger.open(settings.database_url.get_secret_value(), max_size=1) as ledger:
            return await wrap_again(ledger, sealing)

    with busy("重新包裹数据密钥"):
        done = asyncio.run(run())
    say(done, [f"已改由现用密钥包裹 {done.keys} 把数据密钥"], json_out=json_out)


def rotate(
    file: KeyFile,
    algorithm: Annotated[Algorithm | None, typer.Option(help="新密钥的算法，不写则不变")] = None,
    json_out: Json = False,
) -> None:
    """增加一把密封密钥并启用；旧密钥保留，旧内容仍可打开。各进程重启后启用。"""
    from tasks.setting_up import rotate_keys

    done = rotate_keys(file, algorithm)
    said = f"现用第 {done.current} 把（{done.algorithm}），共 {done.keys} 把；请更新备份并重启各进程"
    say(done, [said], json_out=json_out)
