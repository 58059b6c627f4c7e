"""What a setting's value must be, and how to say that it is not, without showing it."""

import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr
from pydantic_core import PydanticCustomError

_ROOM = Path(__file__).parent
_PATH_SECRET = re.compile(r"[A-Za-z0-9_-]{16,128}", re.ASCII)


def database_url(value: SecretStr) -> SecretStr:
    """A ``postgresql://`` address; its password stays hidden."""
    if not value.get_secret_value().startswith(("postgresql://", "postgres://")):
        raise PydanticCustomError("database_url", "须以 postgresql:// 开头")
    return value


def base_url(value: str) -> str:
    """An ``http(s)://host[:port][/path]`` address, without a slash at its end."""
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port)
    except ValueError:
        usable = False
    if not usable or parts.username or parts.query or parts.fragment:
        raise PydanticCustomError("base_url", "须形如 https://主机:端口/路径，不带用户名、查询与片段")
    return value.rstrip("/")


def webhook_url(value: SecretStr) -> SecretStr:
    """An ``http(s)://`` address; its path or query is a secret."""
    said = value.get_secret_value()
    try:
        parts = urlsplit(said)
        usable = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port)
    except ValueError:
        usable = False
    if not usable or parts.username or parts.fragment or not said.isascii() or not said.isprintable():
        raise PydanticCustomError("webhook_url", "须形如 https://主机/路径?key=…，不含中文与不可见字符")
    return value


def key_file(value: Path) -> Path:
    """A file that is there and that only its owner can read."""
    try:
        mode = value.stat().st_mode
    except OSError:
        raise PydanticCustomError("key_file", "文件不存在或不可读") from None
    if not stat.S_ISREG(mode):
        raise PydanticCustomError("key_file", "不是普通文件")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise PydanticCustomError("key_file", "其他用户可以读写，权限须为 0600")
    return value


def path_secret(value: SecretStr) -> SecretStr:
    """At least 16 signs that can stand in a path."""
    if not _PATH_SECRET.fullmatch(value.get_secret_value()):
        raise PydanticCustomError("path_secret", "须为 16 至 128 个字母、数字、下划线或短横")
    return value


ACCOUNT_OF: Mapping[str, str] = {
    "ec_name": "yunmas",
    "ap_id": "yunmas",
    "secret_key": "yunmas",
    "sign": "yunmas",
    "key_id": "aliyun",
    "key_secret": "aliyun",
    "sign_name": "aliyun",
    "template": "aliyun",
}
"""Which words an SMS gateway's account has, by its kind."""


def account_word(value: Any, word: str, kind: str | None) -> Any:
    """The word of a gateway's account, which is there where the gateway is of its kind."""
    said = value.get_secret_value() if isinstance(value, SecretStr) else value
    if kind is not None and not said and ACCOUNT_OF.get(word, kind) == kind:
        raise PydanticCustomError("missing", "未设置")
    return value


def city_folder(value: str, root: Path | None) -> str:
    """The name of a folder that holds a city: beside this file, or below ``root``."""
    folder = (root or _ROOM) / value
    if not re.fullmatch(r"[a-z0-9_]+", value, re.ASCII) or not (folder / "catalog.toml").is_file():
        raise PydanticCustomError("city", f"{'所给目录' if root else 'config '}下没有这个城市的文件夹")
    return value


def problem_of(error: Mapping[str, Any]) -> str:
    """What is wrong, in Chinese, out of pydantic's error; never the value."""
    kind, limits = error["type"], error.get("ctx", {})
    if kind in _OURS:
        return str(error["msg"])
    return _SAYINGS.get(kind, "值不合要求").format_map(limits)


_OURS = frozenset(
    {"database_url", "base_url", "webhook_url", "key_file", "path_secret", "city", "lease", "call_limits"}
)
_SAYINGS: Mapping[str, str] = {
    "missing": "未设置",
    "greater_than": "须大于 {gt}",
    "greater_than_equal": "不得小于 {ge}",
    "less_than_equal": "不得大于 {le}",
    "too_short": "至少 {min_length} 个字符",
    "string_too_short": "至少 {min_length} 个字符",
    "string_too_long": "至多 {max_length} 个字符",
    "literal_error": "只能是 {expected}",
    "int_parsing": "须为整数",
    "float_parsing": "须为数字",
    "finite_number": "须为数字",
}
