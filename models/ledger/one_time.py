"""One-time codes (TOTP, RFC 6238): six digits every 30 seconds, as every authenticator shows them."""

import base64
import os
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.totp import TOTP

STEP_S = 30
DIGITS = 6
_SECRET_BYTES = 20
_ISSUER = "审管联动"
_SKEW = (0, -1, 1)
"""The code of this step, of the one before and of the one after: clocks differ, and people type."""


def new_secret() -> bytes:
    """160 random bits, as RFC 4226 recommends."""
    return os.urandom(_SECRET_BYTES)


def spelled(secret: bytes) -> str:
    """The secret as people type it into an authenticator: base32."""
    return base64.b32encode(secret).decode()


def otpauth_uri(name: str, secret: bytes) -> str:
    """The address an authenticator reads from a QR code."""
    told = urlencode({"secret": spelled(secret), "issuer": _ISSUER, "digits": DIGITS, "period": STEP_S})
    return f"otpauth://totp/{quote(_ISSUER)}:{quote(name)}?{told}"


def code_at(secret: bytes, seconds: float) -> str:
    """The code an authenticator shows at this time (seconds since 1970)."""
    return _totp(secret).generate(int(seconds)).decode()


def matching_step(secret: bytes, code: str, seconds: float) -> int | None:
    """The number of the 30-second step whose code this is, among now and its neighbours; None for none."""
    said = "".join(code.split())
    if len(said) != DIGITS or not (said.isascii() and said.isdigit()):
        return None
    now = int(seconds) // STEP_S
    for skew in _SKEW:
        try:
            _totp(secret).verify(said.encode(), (now + skew) * STEP_S)
        except InvalidToken:
            continue
        return now + skew
    return None


def matched_before(secret: bytes, code: str, seconds: float, *, within_s: float) -> bool:
    """Whether this was the code of a step that is over, by no more than ``within_s`` seconds."""
    return any(
        matching_step(secret, code, seconds - back) is not None
        for back in range(STEP_S, int(within_s) + 1, STEP_S)
    )


def _totp(secret: bytes) -> TOTP:
    # SHA-1 is what RFC 6238 and every authenticator mean; as an HMAC it is not broken.
    return TOTP(secret, DIGITS, SHA1(), STEP_S)  # noqa: S303
