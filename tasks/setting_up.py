"""What is done once for an installation: roles and databases, the schema, the keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args
from urllib.parse import quote, urlsplit, urlunsplit

from adapters.stack.secrets import Secrets
from models.domain.errors import ShenguanError
from models.evidence.signing import create_signing_key, public_file
from models.ledger.keyring import Keyring, SealAlgorithm, create_keyring, rotate_keyring
from models.ledger.provision import LEDGER_DATABASE, PREFECT_DATABASE, ROLE_NAMES, Role
from models.ledger.setup import bring_up, give

_FILE = "database.env"
_ADDRESSES: Mapping[str, tuple[Role, str]] = {
    "SHENGUAN_DATABASE_URL": ("app", LEDGER_DATABASE),
    "SHENGUAN_OWNER_DATABASE_URL": ("owner", LEDGER_DATABASE),
    "PREFECT_SERVER_DATABASE_CONNECTION_URL": ("prefect", PREFECT_DATABASE),
    "AUDIT_DATABASE_URL": ("audit", LEDGER_DATABASE),
}


class KeysThere(ShenguanError):  # noqa: N818 - named as the finding it is
    """There is a key file already; it is never overwritten."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path} 已存在。密钥文件从不覆盖：覆盖后，此前密封的内容再也打不开"


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What is there afterwards; ``addresses`` is the file (0600) that holds them with their passwords."""

    roles: tuple[str, ...]
    databases: tuple[str, ...]
    addresses: str


@dataclass(frozen=True, slots=True)
class Migrated:
    """The schema's revision before (None: an empty database) and after."""

    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class Keys:
    """A key file as it is now: never a key."""

    file: str
    current: int
    algorithm: str
    keys: int


def provision_server(superuser_url: str, folder: Path) -> Provisioned:
    """Roles, databases and a file with their addresses, below ``folder``.

    Passwords are drawn once and kept there: a second call changes nothing for who is connected.

    Raises:
        NotDurable: the server may lose what was committed.
        LedgerUnavailable: the server did not answer, or said no.
    """
    secrets = Secrets(folder)
    roles = tuple(role for role in get_args(Role) if role != "superuser")
    passwords: dict[Role, str] = {role: secrets[f"password-{role}"] for role in roles}
    give(superuser_url, passwords)
    lines = [
        f"{name}={_address(superuser_url, ROLE_NAMES[role], passwords[role], database, name)}"
        for name, (role, database) in _ADDRESSES.items()
    ]
    file = secrets.file(_FILE, "\n".join(lines) + "\n")
    return Provisioned(
        tuple(ROLE_NAMES[role] for role in roles), (LEDGER_DATABASE, PREFECT_DATABASE), str(file)
    )


def _address(given: str, user: str, password: str, database: str, name: str) -> str:
    parts = urlsplit(given)
    scheme = "postgresql+asyncpg" if name.startswith("PREFECT_") else "postgresql"
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit((scheme, f"{user}:{quote(password, safe='')}@{place}", f"/{database}", parts.query, ""))


def migrate_ledger(owner_url: str) -> Migrated:
    """The ledger's tables brought to what this program needs."""
    return Migrated(*bring_up(owner_url))


def create_keys(path: Path, algorithm: SealAlgorithm) -> Keys:
    """A new key file, 0600.

    Raises:
        KeysThere: there is one.
    """
    try:
        create_keyring(path, seal_algorithm=algorithm)
    except FileExistsError:
        raise KeysThere(str(path)) from None
    return _keys(path)


@dataclass(frozen=True, slots=True)
class EvidenceKey:
    """The key that signs evidence heads: its file, its public half's file, and the id to publish."""

    file: str
    public: str
    key: str


def create_evidence_key(path: Path) -> EvidenceKey:
    """A new signing key, 0600, with its public half beside it.

    Raises:
        KeysThere: there is one.
    """
    try:
        verifier = create_signing_key(path)
    except FileExistsError:
        raise KeysThere(str(path)) from None
    return EvidenceKey(str(path), str(public_file(path)), verifier.key_id)


def rotate_keys(path: Path, algorithm: SealAlgorithm | None) -> Keys:
    """Another current sealing key, of the algorithm in use when None; what the old ones sealed opens still.

    Raises:
        KeyringBroken: the file cannot be used.
    """
    now = _keys(path)
    rotate_keyring(path, seal_algorithm=algorithm or now.algorithm)  # type: ignore[arg-type]
    return _keys(path)


def _keys(path: Path) -> Keys:
    keyring = Keyring.load(path)
    current = keyring.seal_keys[keyring.seal_current]
    return Keys(str(path), current.key_id, current.algorithm, len(keyring.seal_keys))
