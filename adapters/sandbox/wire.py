"""What the simulators read and write: strict JSON in, canonical JSON out, documented problems.

This is the receivers' own reading of the contracts. It shares no code with the clients,
so that both cannot be wrong together.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web

MAX_BODY = 4 * 1024 * 1024

TITLES = {
    "malformed": "报文无法解析",
    "signature-missing": "缺少签名",
    "signature-invalid": "签名不符",
    "signature-expired": "签名超出时间窗",
    "nonce-replayed": "随机数重复",
    "unknown-key": "密钥标识未登记",
    "not-found": "没有这条记录",
    "method-not-allowed": "不支持的方法",
    "content-conflict": "同一业务键已存不同内容",
    "too-large": "报文过大",
    "media-type": "报文类型不支持",
    "rule-broken": "报文违反规则",
    "throttled": "请求过密",
    "not-processed": "未处理",
}
STATUSES = {
    "malformed": 400,
    "signature-missing": 401,
    "signature-invalid": 401,
    "signature-expired": 401,
    "nonce-replayed": 401,
    "unknown-key": 401,
    "not-found": 404,
    "method-not-allowed": 405,
    "content-conflict": 409,
    "too-large": 413,
    "media-type": 415,
    "rule-broken": 422,
    "throttled": 429,
    "not-processed": 503,
}


class Problem(Exception):  # noqa: N818 - RFC 9457's own word
    """A documented answer that is not success; the code decides the status."""

    def __init__(self, code: str, detail: str, **extra: Any) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail
        self.extra = extra

    def response(
        self, *, status: int | None = None, headers: Mapping[str, str] | None = None
    ) -> web.Response:
        """The problem as RFC 9457 wants it."""
        number = status or STATUSES.get(self.code, 500)
        body = {
            "type": f"urn:shenguan:problem:{self.code}",
            "title": TITLES.get(self.code, self.code),
            "status": number,
            "detail": self.detail,
            "code": self.code,
            **self.extra,
        }
        return web.Response(
            status=number, body=canonical(body), content_type="application/problem+json", headers=headers
        )


def canonical(value: Any) -> bytes:
    """The one byte form of a content: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def sha256(data: bytes) -> str:
    """Lower-case hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()


def lines_digest(pairs: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over the sorted lines `own_id SP content_sha256 LF`."""
    return sha256("".join(sorted(f"{own_id} {content}\n" for own_id, content in pairs)).encode())


def answer(value: Any, *, status: int = 200) -> web.Response:
    """A JSON answer; floats never stand on these wires."""
    return web.Response(status=status, body=canonical(value), content_type="application/json")


def parse(body: bytes, content_type: str) -> dict[str, Any]:
    """The JSON object in the body.

    Raises:
        Problem: media-type, or malformed: not UTF-8, not JSON, a key twice, a float, NaN,
            a lone surrogate, or not an object.
    """
    if content_type != "application/json":
        raise Problem("media-type", "Content-Type 应为 application/json")
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_no_key_twice,
            parse_float=_no_float,
            parse_constant=_no_float,
        )
    except (ValueError, RecursionError) as error:
        raise Problem("malformed", f"不是本接口的 JSON：{type(error).__name__}") from None
    if not isinstance(value, dict):
        raise Problem("malformed", "最外层应为对象")
    return value


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice")
    return made


def _no_float(_: str) -> Any:
    raise ValueError("numbers are integers here; amounts are decimal strings")
