"""The national platform's header scheme: four headers, HMAC-SHA256 over who, which service and when.

The body is not signed by this scheme; its digest (RFC 9530) goes along, so that damage is noticed.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping


class NationalSigner:
    """``gjzwfwpt_*`` headers. The key id is ``rid``, or ``rid/sid`` where the service has an id of its own.

    ``now`` gives Unix seconds of the machine's clock. The scheme has no nonce: the time in milliseconds
    is made to rise with every signature, so that two calls never look like one replayed.
    """

    def __init__(self, key_id: str, secret: bytes, *, now: Callable[[], float] = time.time) -> None:
        rid, _, sid = key_id.partition("/")
        if not rid or not key_id.isascii() or not key_id.isprintable():
            raise ValueError("the key id must be printable ASCII: rid or rid/sid")
        self._rid, self._sid = rid, sid or rid
        self._secret = secret
        self._now = now
        self._last = 0

    def sign(
        self, method: str, target: str, *, body: bytes | None = None, idempotency_key: str | None = None
    ) -> Mapping[str, str]:
        """See ``Signer.sign``; method and target are not covered by this scheme."""
        del method, target
        self._last = max(self._last + 1, int(self._now() * 1000))
        rtime = str(self._last)
        mac = hmac.digest(self._secret, f"{self._sid}{self._rid}{rtime}".encode(), hashlib.sha256)
        headers = {
            "gjzwfwpt_rid": self._rid,
            "gjzwfwpt_sid": self._sid,
            "gjzwfwpt_rtime": rtime,
            "gjzwfwpt_sign": base64.b64encode(mac).decode(),
        }
        if body is not None:
            headers["content-type"] = "application/json"
            headers["content-digest"] = (
                f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
            )
        if idempotency_key is not None:
            headers["idempotency-key"] = idempotency_key
        return headers
