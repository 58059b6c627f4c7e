"""Whether a request was signed by somebody we know, just now, and for the first time.

RFC 9421 with RFC 9530 (HMAC-SHA256, HMAC-SM3), or the national platform's four headers.
"""

import base64
import binascii
import hashlib
import hmac
import re
import time
from collections import deque
from collections.abc import Callable, Mapping

from adapters.sandbox.wire import Problem

WINDOW_S = 300
MOST_NONCE = 128
_INPUT = re.compile(r'^sig1=(\(("[^"]+"(?: "[^"]+")*)\)((?:;[a-z]+=(?:\d+|"[^"]*"))*))$')
_PARAMETER = re.compile(r';([a-z]+)=(?:(\d+)|"([^"]*)")')
_ALGORITHMS = {"hmac-sha256": "sha256", "hmac-sm3": "sm3"}
_NATIONAL = ("gjzwfwpt_rid", "gjzwfwpt_sid", "gjzwfwpt_rtime", "gjzwfwpt_sign")


class Verifier:
    """Checks signatures against known keys and remembers what was used within the window."""

    def __init__(self, keys: Mapping[str, str], *, now: Callable[[], float] = time.time) -> None:
        self._keys = {key_id: secret.encode() for key_id, secret in keys.items()}
        self._now = now
        self._used: set[str] = set()
        self._order: deque[tuple[float, str]] = deque()

    def verify(self, method: str, raw_path: str, headers: Mapping[str, str], body: bytes) -> str:
        """The key id that signed.

        Raises:
            Problem: one of the 401 codes, or malformed when the body is not the signed one.
        """
        if "Signature-Input" in headers:
            return self._rfc9421(method, raw_path, headers, body)
        if _NATIONAL[3] in headers:
            return self._national(method, raw_path, headers, body)
        raise Problem("signature-missing", "请求没有签名头")

    def _rfc9421(self, method: str, raw_path: str, headers: Mapping[str, str], body: bytes) -> str:
        found = _INPUT.match(headers["Signature-Input"])
        if found is None or "Signature" not in headers:
            raise Problem("signature-missing", "Signature-Input 或 Signature 不合格式")
        parameters = {name: number or text for name, number, text in _PARAMETER.findall(found[3])}
        covered = [name.strip('"') for name in found[2].split(" ")]
        for needed in _needed(headers, body):
            if needed not in covered:
                raise Problem("signature-invalid", f"签名未覆盖 {needed}")
        secret = self._secret(parameters.get("keyid", ""))
        self._in_window(parameters.get("created", ""), 1)
        nonce = parameters.get("nonce", "")
        algorithm = _ALGORITHMS.get(parameters.get("alg", ""))
        if not 1 <= len(nonce) <= MOST_NONCE or algorithm is None:
            raise Problem("signature-invalid", "nonce 应为 1–128 字，alg 应在约定之内")
        path, _, query = raw_path.partition("?")
        lines = []
        for name in covered:
            value = {"@method": method, "@path": path, "@query": f"?{query}"}.get(name)
            if value is None:
                value = headers.get(name, "").strip()
            lines.append(f'"{name}": {value}\n')
        base = "".join(lines) + f'"@signature-params": {found[1]}'
        given = re.match(r"^sig1=:([A-Za-z0-9+/=]+):$", headers["Signature"])
        if given is None or not _same(given[1], hmac.digest(secret, base.encode(), algorithm)):
            raise Problem("signature-invalid", "签名不符")
        if body:
            _check_digest(headers.get("Content-Digest", ""), body)
        self._first_use(f"{parameters['keyid']} {nonce}")
        return str(parameters["keyid"])

    def _national(self, method: str, raw_path: str, headers: Mapping[str, str], body: bytes) -> str:
        rid, sid, rtime, sign = (headers.get(name, "") for name in _NATIONAL)
        secret = self._secret(rid)
        self._in_window(rtime, 1000)
        if not _same(sign, hmac.digest(secret, f"{sid}{rid}{rtime}".encode(), "sha256")):
            raise Problem("signature-invalid", "签名不符")
        if "Content-Digest" in headers:
            _check_digest(headers["Content-Digest"], body)
        # The scheme has no nonce and leaves the body unsigned: the same call in the same
        # millisecond counts as replayed, another body or path does not.
        call = hashlib.sha256(f"{method} {raw_path}\n".encode() + body).hexdigest()
        self._first_use(f"{rid} {sid} {rtime} {call}")
        return rid

    def _secret(self, key_id: str) -> bytes:
        if key_id not in self._keys:
            raise Problem("unknown-key", "密钥标识未登记")
        return self._keys[key_id]

    def _in_window(self, stamp: str, per_second: int) -> None:
        if not re.fullmatch(r"\d{1,16}", stamp):
            raise Problem("signature-invalid", "缺少时间")
        if abs(self._now() - int(stamp) / per_second) > WINDOW_S:
            raise Problem("signature-expired", f"时间偏差超过 {WINDOW_S} 秒")

    def _first_use(self, mark: str) -> None:
        now = self._now()
        while self._order and self._order[0][0] < now:
            self._used.discard(self._order.popleft()[1])
        if mark in self._used:
            raise Problem("nonce-replayed", "同一签名已经用过")
        self._used.add(mark)
        self._order.append((now + 2 * WINDOW_S, mark))


def _needed(headers: Mapping[str, str], body: bytes) -> list[str]:
    needed = ["@method", "@path", "@query"]
    if body:
        needed += ["content-type", "content-digest"]
    if "Idempotency-Key" in headers:
        needed.append("idempotency-key")
    return needed


def _same(given: str, expected: bytes) -> bool:
    try:
        return hmac.compare_digest(base64.b64decode(given, validate=True), expected)
    except binascii.Error:
        return False


def _check_digest(header: str, body: bytes) -> None:
    expected = base64.b64encode(hashlib.sha256(body).digest()).decode()
    if header.strip() != f"sha-256=:{expected}:":
        raise Problem("malformed", "Content-Digest 与报文不符")
