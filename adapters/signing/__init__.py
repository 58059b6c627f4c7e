"""Signatures on outgoing requests; the scheme is a setting."""

from adapters.signing.national import NationalSigner
from adapters.signing.port import Signer
from adapters.signing.rfc9421 import Rfc9421Signer

SCHEMES = ("rfc9421-sha256", "rfc9421-sm3", "national")

__all__ = ["SCHEMES", "Signer", "make_signer"]


def make_signer(scheme: str, *, key_id: str, secret: bytes) -> Signer:
    """The signer that the setting names, one of ``SCHEMES``.

    Raises:
        ValueError: the scheme is none of them, or key id or secret cannot be used with it.
    """
    if not secret:
        raise ValueError("the signing secret is empty")
    if scheme == "rfc9421-sha256":
        return Rfc9421Signer(key_id, secret, algorithm="hmac-sha256")
    if scheme == "rfc9421-sm3":
        return Rfc9421Signer(key_id, secret, algorithm="hmac-sm3")
    if scheme == "national":
        return NationalSigner(key_id, secret)
    raise ValueError(f"unknown signing scheme; it is one of {', '.join(SCHEMES)}")
