"""RFC 9421 signatures with an RFC 9530 content digest, HMAC-SHA256 or HMAC-SM3 (GB/T 32905)."""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Literal

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

Algorithm = Literal["hmac-sha256", "hmac-sm3"]
JSON = "application/json"


class Rfc9421Signer:
    """Label ``sig1`` over method, path, query and, where there are such, type, digest and own id.

    ``now`` gives Unix seconds of the machine's clock, ``nonce`` a fresh word; both for tests.
    """

    def __init__(
        self,
        key_id: str,
        secret: bytes,
        *,
        algorithm: Algorithm = "hmac-sha256",
        now: Callable[[], float] = time.time,
        nonce: Callable[[], str] = lambda: secrets.token_urlsafe(16),
    ) -> None:
        if not key_id.isascii() or not key_id.isprintable() or any(c in '"\\' for c in key_id):
            raise ValueError("the key id must be printable ASCII without quotes")
        self._mac = _keyed(algorithm, secret)
        self._tail = f';keyid="{key_id}";alg="{algorithm}"'
        self._now = now
        self._nonce = nonce

    def sign(
        self, method: str, target: str, *, body: bytes | None = None, idempotency_key: str | None = None
    ) -> Mapping[str, str]:
        """See ``Signer.sign``."""
        covered, base = _prepared(method, target, body is not None, idempotency_key is not None)
        headers: dict[str, str] = {}
        if body is not None:
            digest = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
            headers["content-type"], headers["content-digest"] = JSON, digest
            base += f'"content-digest": {digest}\n'
        if idempotency_key is not None:
            headers["idempotency-key"] = idempotency_key
            base += f'"idempotency-key": {idempotency_key}\n'
        params = f'{covered};created={int(self._now())};nonce="{self._nonce()}"{self._tail}'
        signature = self._mac(f'{base}"@signature-params": {params}'.encode("ascii"))
        headers["signature-input"] = f"sig1={params}"
        headers["signature"] = f"sig1=:{base64.b64encode(signature).decode()}:"
        return headers


@lru_cache(maxsize=256)
def _prepared(method: str, target: str, has_body: bool, has_key: bool) -> tuple[str, str]:  # noqa: FBT001
    """The list of covered parts, and the part of the signature base that a target's calls share."""
    path, _, query = target.partition("?")
    covered = ["@method", "@path", "@query"]
    base = f'"@method": {method}\n"@path": {path}\n"@query": ?{query}\n'
    if has_body:
        covered += ["content-type", "content-digest"]
        base += f'"content-type": {JSON}\n'
    if has_key:
        covered.append("idempotency-key")
    return "(" + " ".join(f'"{name}"' for name in covered) + ")", base


def _keyed(algorithm: Algorithm, secret: bytes) -> Callable[[bytes], bytes]:
    """The MAC under this key; the key's own blocks are hashed once, here."""
    if algorithm == "hmac-sha256":
        sha = hmac.new(secret, digestmod=hashlib.sha256)

        def by_sha256(message: bytes) -> bytes:
            mac = sha.copy()
            mac.update(message)
            return mac.digest()

        return by_sha256
    sm3 = HMAC(secret, hashes.SM3())

    def by_sm3(message: bytes) -> bytes:
        mac = sm3.copy()
        mac.update(message)
        return mac.finalize()

    return by_sm3
