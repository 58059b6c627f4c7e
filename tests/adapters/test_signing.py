"""Signatures against an independent library, published vectors, and sums done by hand."""

import base64
import hashlib
import hmac
import re
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives import hashes
from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver, algorithms

from adapters.signing import SCHEMES, make_signer
from adapters.signing.national import NationalSigner
from adapters.signing.rfc9421 import Rfc9421Signer

SECRET = b"a made-up secret of some length"
BODY = '{"own_id":"PS1","备注":"益阳"}'.encode()


class OneKey(HTTPSignatureKeyResolver):
    def resolve_public_key(self, key_id):
        assert key_id == "demo"
        return SECRET

    resolve_private_key = resolve_public_key


def verified(method, target, headers):
    """The covered parts, as the library found them true."""
    message = SimpleNamespace(
        method=method,
        url=f"http://host.example{target}",
        headers={name.title(): value for name, value in headers.items()},
    )
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=OneKey())
    return verifier.verify(message)[0].covered_components


@pytest.mark.parametrize("target", ["/v1/pushes", "/base/v1/x?day=2026-01-01&cursor=a%2Fb%3D"])
@pytest.mark.parametrize("body", [None, BODY])
@pytest.mark.parametrize("key", [None, "PSABC234"])
def test_the_library_verifies_what_we_sign(target, body, key):
    signer = Rfc9421Signer("demo", SECRET)
    method = "GET" if body is None else "POST"
    headers = signer.sign(method, target, body=body, idempotency_key=key)
    covered = set(verified(method, target, headers))
    expected = {'"@method"', '"@path"', '"@query"', '"@signature-params"'}
    expected |= {'"content-type"', '"content-digest"'} if body is not None else set()
    expected |= {'"idempotency-key"'} if key else set()
    assert covered | {'"@signature-params"'} == expected
    if body is not None:
        digest = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
        assert headers["content-digest"] == f"sha-256=:{digest}:"


@pytest.mark.parametrize(
    "change",
    [
        {"idempotency-key": "PSOTHER"},
        {"content-digest": "sha-256=:AAAA:"},
        {"content-type": "text/plain"},
        {"method": "PUT"},
        {"target": "/v1/recalls"},
        {"target": "/v1/pushes?a=1"},
    ],
)
def test_what_is_covered_cannot_be_changed(change):
    headers = dict(Rfc9421Signer("demo", SECRET).sign("POST", "/v1/pushes", body=BODY, idempotency_key="PS1"))
    method, target = change.pop("method", "POST"), change.pop("target", "/v1/pushes")
    with pytest.raises(Exception, match="did not match"):
        verified(method, target, headers | change)


def test_sm3_is_the_standard_one_and_signs_the_same_base():
    digest = hashes.Hash(hashes.SM3())
    digest.update(b"abc")
    # GB/T 32905-2016, A.1
    assert digest.finalize().hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    fixed = {"now": lambda: 1_790_000_000.9, "nonce": lambda: "n-1"}
    headers = Rfc9421Signer("demo", SECRET, algorithm="hmac-sm3", **fixed).sign("GET", "/v1/x?a=1")
    params = '("@method" "@path" "@query");created=1790000000;nonce="n-1";keyid="demo";alg="hmac-sm3"'
    assert headers["signature-input"] == f"sig1={params}"
    base = f'"@method": GET\n"@path": /v1/x\n"@query": ?a=1\n"@signature-params": {params}'
    assert headers["signature"] == f"sig1=:{base64.b64encode(hmac_by_hand(SECRET, base.encode())).decode()}:"


def hmac_by_hand(key, message):
    """RFC 2104 over SM3, whose block is 64 bytes."""

    def sm3(data):
        digest = hashes.Hash(hashes.SM3())
        digest.update(data)
        return digest.finalize()

    key = key.ljust(64, b"\0")
    return sm3(bytes(b ^ 0x5C for b in key) + sm3(bytes(b ^ 0x36 for b in key) + message))


def test_the_national_headers():
    signer = NationalSigner("rid1/sid1", SECRET, now=lambda: 1_790_000_000.123)
    headers = signer.sign("POST", "/v1/pushes", body=BODY, idempotency_key="PS1")
    expected = hmac.digest(SECRET, b"sid1rid11790000000123", hashlib.sha256)
    assert headers["gjzwfwpt_rid"] == "rid1"
    assert headers["gjzwfwpt_sid"] == "sid1"
    assert headers["gjzwfwpt_rtime"] == "1790000000123"
    assert headers["gjzwfwpt_sign"] == base64.b64encode(expected).decode()
    assert signer.sign("GET", "/")["gjzwfwpt_rtime"] == "1790000000124"
    assert NationalSigner("rid1", SECRET).sign("GET", "/")["gjzwfwpt_sid"] == "rid1"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_signature_comes_twice(scheme):
    signer = make_signer(scheme, key_id="demo", secret=SECRET)
    name = "gjzwfwpt_sign" if scheme == "national" else "signature"
    made = {signer.sign("POST", "/v1/pushes", body=BODY, idempotency_key="PS1")[name] for _ in range(50)}
    assert len(made) == 50


@pytest.mark.parametrize(
    ("scheme", "key_id", "secret"),
    [
        ("rfc9421-md5", "demo", SECRET),
        ("national", "", SECRET),
        ("national", "钥", SECRET),
        ("rfc9421-sm3", 'de"mo', SECRET),
        ("rfc9421-sha256", "demo\n", SECRET),
        ("rfc9421-sha256", "demo", b""),
    ],
)
def test_settings_that_cannot_sign_are_refused(scheme, key_id, secret):
    with pytest.raises(ValueError, match=re.compile("scheme|key id|secret")):
        make_signer(scheme, key_id=key_id, secret=secret)
