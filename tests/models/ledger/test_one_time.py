"""Codes as RFC 6238 has them, whatever the skew and the spelling."""

import pytest

from models.ledger.one_time import code_at, matching_step, new_secret, otpauth_uri, spelled

RFC = b"12345678901234567890"


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924")],
)
def test_the_codes_of_the_rfc(seconds, code):
    assert code_at(RFC, seconds) == code
    assert matching_step(RFC, code, seconds) == seconds // 30


@pytest.mark.parametrize(("off", "step"), [(-60, None), (-30, -1), (0, 0), (30, 1), (60, None)])
def test_one_step_of_skew_and_no_more(off, step):
    at = 1_700_000_010
    found = matching_step(RFC, code_at(RFC, at + off), at)
    assert found == (None if step is None else at // 30 + step)


@pytest.mark.parametrize("said", ["", "12345", "1234567", "28708２", "٢٨٧٠٨٢", "abcdef", "+28708"])
def test_what_is_no_code(said):
    assert matching_step(RFC, said, 59) is None


def test_a_code_is_read_as_people_type_it():
    assert matching_step(RFC, " 287 082\n", 59) == 1


def test_secrets_are_long_and_never_the_same_and_fit_an_authenticator():
    first, second = new_secret(), new_secret()
    assert first != second
    assert len(first) == 20
    uri = otpauth_uri("王五", first)
    assert uri.startswith("otpauth://totp/%E5")
    assert f"secret={spelled(first)}" in uri
    assert "=" not in spelled(first)
