"""What a signer promises."""

from collections.abc import Mapping
from typing import Protocol


class Signer(Protocol):
    """Signs requests with one key; a signature serves once."""

    def sign(
        self, method: str, target: str, *, body: bytes | None = None, idempotency_key: str | None = None
    ) -> Mapping[str, str]:
        """All headers the signature needs and covers, ``content-type`` and ``idempotency-key`` included.

        ``target`` is path and query as they go out. A body is JSON. Calling again for the same request
        gives other headers: time and nonce are of the moment, so that a repeat is never a replay.
        """
        ...
