"""The keys of the sealed columns: several of each use, one of each current.

The file is JSON, readable by its owner only::

    {"seal":  {"current": 1, "keys": [{"id": 1, "algorithm": "aes-256-gcm", "key": "<base64>"}]},
     "index": {"current": 1, "keys": [{"id": 1, "algorithm": "hmac-sha256", "key": "<base64>"}]}}

Rotation adds a key and makes it current; old keys stay, so that what they sealed can be opened.
"""

import base64
import binascii
import json
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from models.domain.errors import ShenguanError

SealAlgorithm = Literal["aes-256-gcm", "sm4-gcm"]
IndexAlgorithm = Literal["hmac-sha256", "hmac-sm3"]

KEY_BYTES: Mapping[str, int] = {"aes-256-gcm": 32, "sm4-gcm": 16, "hmac-sha256": 32, "hmac-sm3": 32}
_USES: Mapping[str, tuple[str, ...]] = {
    "seal": ("aes-256-gcm", "sm4-gcm"),
    "index": ("hmac-sha256", "hmac-sm3"),
}
_HIGHEST_ID: Mapping[str, int] = {"seal": 0xFFFF, "index": 0xFF}


class KeyringBroken(ShenguanError):  # noqa: N818 - named as the finding it is
    """The key file cannot be used. ``reason`` is a Chinese sentence; it never holds a key."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"密钥文件 {self.path}：{self.reason}"


class UnknownKey(ShenguanError):  # noqa: N818
    """Something was sealed under a key that the key file does not hold."""

    def __init__(self, key_id: int) -> None:
        super().__init__(key_id)
        self.key_id = key_id

    def __str__(self) -> str:
        return f"密钥文件中没有编号为 {self.key_id} 的密钥"


@dataclass(frozen=True, repr=False)
class Key:
    """One key. It shows its number, never itself."""

    key_id: int
    algorithm: str
    secret: bytes

    def __repr__(self) -> str:
        return f"Key({self.key_id}, {self.algorithm})"


@dataclass(frozen=True)
class Keyring:
    """The keys by number, for each of the two uses, and which of them is current."""

    seal_keys: Mapping[int, Key]
    seal_current: int
    index_keys: Mapping[int, Key]
    index_current: int

    @classmethod
    def load(cls, path: Path) -> "Keyring":
        """The keyring of this file.

        Raises:
            KeyringBroken: missing, readable by others, or not a keyring.
        """
        content = _read(path)
        seal_keys, seal_current = _keys(path, content, "seal")
        index_keys, index_current = _keys(path, content, "index")
        return cls(seal_keys, seal_current, index_keys, index_current)


def create_keyring(
    path: Path,
    *,
    seal_algorithm: SealAlgorithm = "aes-256-gcm",
    index_algorithm: IndexAlgorithm = "hmac-sha256",
) -> Keyring:
    """A new key file with one key of each use, mode 0600.

    Raises:
        FileExistsError: there is a file already; a key file is never overwritten, because nothing
            could open what it sealed.
    """
    content = {
        "seal": {"current": 1, "keys": [_new_key(1, seal_algorithm)]},
        "index": {"current": 1, "keys": [_new_key(1, index_algorithm)]},
    }
    _write(path, content, replace=False)
    return Keyring.load(path)


def rotate_keyring(
    path: Path,
    *,
    seal_algorithm: SealAlgorithm | None = None,
    index_algorithm: IndexAlgorithm | None = None,
) -> Keyring:
    """The key file with a new current key for each use that names an algorithm; old keys stay.

    Raises:
        KeyringBroken: the file cannot be used, or a use has no number left.
    """
    Keyring.load(path)  # a broken file is not written over
    content = _read(path)
    for use, algorithm in (("seal", seal_algorithm), ("index", index_algorithm)):
        if algorithm is None:
            continue
        key_id = max(entry["id"] for entry in content[use]["keys"]) + 1
        if key_id > _HIGHEST_ID[use]:
            raise KeyringBroken(str(path), f"{use} 的密钥编号已用完")
        content[use]["keys"].append(_new_key(key_id, algorithm))
        content[use]["current"] = key_id
    _write(path, content, replace=True)
    return Keyring.load(path)


def _new_key(key_id: int, algorithm: str) -> dict[str, Any]:
    secret = secrets.token_bytes(KEY_BYTES[algorithm])
    return {"id": key_id, "algorithm": algorithm, "key": base64.b64encode(secret).decode()}


def _write(path: Path, content: Mapping[str, Any], *, replace: bool) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(file, "w", encoding="utf-8") as out:
            json.dump(content, out, indent=1)
            out.flush()
            os.fsync(out.fileno())
        if replace:
            unfinished.replace(path)
        else:
            os.link(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path) -> dict[str, Any]:
    try:
        mode = path.stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise KeyringBroken(str(path), "其他用户可以读取，请改为 0600")
        content = json.loads(path.read_bytes())
    except FileNotFoundError as missing:
        raise KeyringBroken(str(path), "文件不存在") from missing
    except OSError as unreadable:
        raise KeyringBroken(str(path), f"无法读取（{unreadable.strerror}）") from unreadable
    except ValueError as garbled:
        raise KeyringBroken(str(path), "不是有效的 JSON") from garbled
    if not isinstance(content, dict):
        raise KeyringBroken(str(path), "顶层应为对象")
    return content


def _keys(path: Path, content: Mapping[str, Any], use: str) -> tuple[dict[int, Key], int]:
    section = content.get(use)
    if not isinstance(section, dict) or not isinstance(section.get("keys"), list):
        raise KeyringBroken(str(path), f"缺少 {use}.keys")
    keys: dict[int, Key] = {}
    for entry in section["keys"]:
        key = _key(path, entry, use)
        if key.key_id in keys:
            raise KeyringBroken(str(path), f"{use} 中编号 {key.key_id} 重复")
        keys[key.key_id] = key
    current = section.get("current")
    if not isinstance(current, int) or current not in keys:
        raise KeyringBroken(str(path), f"{use}.current 没有对应的密钥")
    return keys, current


def _key(path: Path, entry: Any, use: str) -> Key:
    if not isinstance(entry, dict):
        raise KeyringBroken(str(path), f"{use} 中有一项不是对象")
    key_id, algorithm, encoded = entry.get("id"), entry.get("algorithm"), entry.get("key")
    if not isinstance(key_id, int) or isinstance(key_id, bool) or not 1 <= key_id <= _HIGHEST_ID[use]:
        raise KeyringBroken(str(path), f"{use} 的密钥编号应为 1–{_HIGHEST_ID[use]}")
    if algorithm not in _USES[use]:
        raise KeyringBroken(str(path), f"{use} 的密钥 {key_id} 算法未知")
    try:
        secret = base64.b64decode(encoded if isinstance(encoded, str) else "?", validate=True)
    except (ValueError, binascii.Error) as garbled:
        raise KeyringBroken(str(path), f"{use} 的密钥 {key_id} 不是 Base64") from garbled
    if len(secret) != KEY_BYTES[algorithm]:
        raise KeyringBroken(str(path), f"{use} 的密钥 {key_id} 应为 {KEY_BYTES[algorithm]} 字节")
    return Key(key_id, algorithm, secret)
