"""What a cluster is made of before it starts: passwords, an initialised data folder, settings."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from adapters.stack.postgres_account import Account
from models.domain.errors import ShenguanError
from models.ledger.provision import ROLE_NAMES

_SETTINGS: Mapping[str, str] = {
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
    "password_encryption": "scram-sha-256",
    "max_wal_size": "1GB",
    # The log must not repeat a row: no statements, no DETAIL with values.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}


class ClusterFailed(ShenguanError):  # noqa: N818 - named as the finding it is
    """The cluster cannot be made, started or used. ``reason`` is a Chinese sentence."""

    def __init__(self, folder: str, reason: str) -> None:
        super().__init__(folder, reason)
        self.folder = folder
        self.reason = reason

    def __str__(self) -> str:
        return f"内嵌 PostgreSQL（{self.folder}）：{self.reason}"


def make_passwords(folder: Path) -> None:
    """A password file (0600) for each role that has none yet; what is there stays."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for role in ROLE_NAMES:
        if (folder / role).exists():
            continue
        unfinished = folder / f".{role}.{os.getpid()}"
        file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "w") as kept:
            kept.write(secrets.token_urlsafe(32))
            kept.flush()
            os.fsync(kept.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(unfinished, folder / role)
        unfinished.unlink()


def initialise(data: Path, *, binaries: Path, account: Account, superuser_password: str) -> None:
    """An initialised data folder, which was not there before.

    Made beside and renamed: an initdb that was killed leaves nothing that looks finished.

    Raises:
        ClusterFailed: initdb said no.
    """
    place = data.parent
    unfinished = data.with_name("data.unfinished")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(mode=0o700)
    account.own(unfinished)
    pwfile = place / "initdb-password"
    pwfile.touch(mode=0o600)
    pwfile.write_text(superuser_password)
    account.own(pwfile)
    try:
        code, said = account.run(
            [
                str(binaries / "initdb"),
                f"--pgdata={unfinished}",
                f"--username={ROLE_NAMES['superuser']}",
                f"--pwfile={pwfile}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                # Order by bytes, the same on every machine; letters as Unicode knows them, or
                # Prefect's trigram search would not see Chinese.
                "--lc-ctype=C.UTF-8",
            ],
            cwd=place,
        )
    finally:
        pwfile.unlink(missing_ok=True)
    if code != 0:
        raise ClusterFailed(str(data), f"初始化失败：{said.strip()[-2000:]}")
    with (unfinished / "postgresql.conf").open("a") as conf:
        conf.write("include_if_exists = 'shenguan.conf'\n")
    unfinished.rename(data)


def write_settings(data: Path, *, account: Account, **settings: str) -> None:
    """The settings of every cluster and these, in a file that ``postgresql.conf`` includes."""
    conf = data / "shenguan.conf"
    lines = [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'\n" for name, value in settings.items()]
    conf.write_text("".join([*lines, *(f"{name} = '{value}'\n" for name, value in _SETTINGS.items())]))
    account.own(conf)
