"""The contracts are valid OpenAPI, and the simulators serve exactly what stands in them."""

import base64
import functools
import hashlib
import re
from pathlib import Path

import pytest
import yaml
from openapi_spec_validator import validate

from adapters.sandbox import wire
from adapters.sandbox.aliyun import AliyunGateway
from adapters.sandbox.app import Options
from adapters.sandbox.credit import QUERY, REPORTS, Credit
from adapters.sandbox.platform import Platform
from adapters.sandbox.platform_shapes import (
    AT_ACCEPTANCE,
    CONTENT,
    CREDIT_RECORD_CONTENT,
    FEEDBACK_CONTENT,
    PUSH,
    RECALL,
    RETURN,
)
from adapters.sandbox.shapes import Record, Rows, Text
from adapters.sandbox.shuanggongshi import CF, XK
from adapters.sandbox.signatures import Verifier
from adapters.sandbox.sms import Gateway

FOLDER = Path(__file__).parents[3] / "adapters" / "contracts"
NAMES = ("platform.v1", "credit.v1", "sms-yunmas", "sms-aliyun")


@functools.cache
def contract(name):
    return yaml.load((FOLDER / f"{name}.yaml").read_text(), yaml.CSafeLoader)


def schema(name, part):
    return contract(name)["components"]["schemas"][part]


@pytest.mark.parametrize("name", NAMES)
def test_the_contract_is_valid_openapi_3_1(name):
    text = contract(name)
    assert text["openapi"].startswith("3.1")
    validate(text)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("platform.v1", Platform),
        ("credit.v1", Credit),
        ("sms-yunmas", Gateway),
        ("sms-aliyun", AliyunGateway),
    ],
)
def test_the_simulator_serves_the_contracts_routes_and_no_others(name, made, tmp_path):
    options = Options(
        port=0,
        host="127.0.0.1",
        world=tmp_path,
        ledger=tmp_path / "l.jsonl",
        feed=tmp_path / "f.jsonl",
        listener="",
        keys={},
        light=True,
    )
    served = {(route.method, route.path) for route in made(options).routes()}
    written = {
        (method.upper(), path)
        for path, operations in contract(name)["paths"].items()
        for method in operations
        if method in {"get", "post", "put", "delete", "patch"}
    }
    assert served == written


@pytest.mark.parametrize("name", NAMES[:2])
def test_problem_codes_and_their_statuses_are_the_simulators(name):
    codes = schema(name, "ProblemCode")
    assert set(codes["enum"]) == set(wire.TITLES)
    assert codes["x-status"] == wire.STATUSES
    assert set(codes["x-outcome"]) == set(codes["enum"])
    assert set(codes["x-outcome"].values()) == {"refused", "not_done", "unknown"}


def test_what_both_contracts_share_is_the_same():
    shared = ("Problem", "FieldError", "ProblemCode", "Sha256", "OwnId", "Uscc", "Moment", "Day")
    for part in shared:
        assert schema("platform.v1", part) == schema("credit.v1", part)
    assert (
        contract("platform.v1")["components"]["responses"] == contract("credit.v1")["components"]["responses"]
    )


@pytest.mark.parametrize("name", NAMES[:2])
def test_the_signing_example_verifies(name):
    text = contract(name)["info"]["description"]
    base, mac = text.split("```\n")[1], re.search(r"Signature: (sig1=:\S+:)", text)[1]
    lines = dict(line.split(": ", 1) for line in base.strip().splitlines())
    headers = {
        "Content-Type": lines['"content-type"'],
        "Content-Digest": lines['"content-digest"'],
        "content-type": lines['"content-type"'],
        "content-digest": lines['"content-digest"'],
        "idempotency-key": lines['"idempotency-key"'],
        "Idempotency-Key": lines['"idempotency-key"'],
        "Signature-Input": "sig1=" + lines['"@signature-params"'],
        "Signature": mac,
    }
    verifier = Verifier({"demo": "test-secret-1"}, now=lambda: 1772420400)
    assert verifier.verify("POST", lines['"@path"'], headers, b"{}") == "demo"
    with pytest.raises(wire.Problem, match="nonce-replayed"):
        verifier.verify("POST", lines['"@path"'], headers, b"{}")


def test_the_mac_example_is_right():
    text = contract("sms-yunmas")["info"]["description"]
    parts = "某市政务", "demo", "test-secret-1", "13900000001", "【审管联动】您有 1 条新办件待阅", "sig"
    assert hashlib.md5("".join(parts).encode()).hexdigest() in text
    assert all(f"`{part}`" in text for part in parts)
    assert (
        base64.b64encode(hashlib.sha256(b"{}").digest()).decode()
        in contract("platform.v1")["info"]["description"]
    )


def resolved(document, part):
    while "$ref" in part:
        part = document["components"]["schemas"][part["$ref"].rsplit("/", 1)[1]]
    alternatives = [a for a in part.get("oneOf", ()) if a != {"type": "null"}]
    if len(alternatives) == 1:
        return resolved(document, alternatives[0])
    return part


def compare(document, shape, part, path=""):
    """The simulator's shape and the contract's schema: same fields, needs, lengths and lists."""
    part = resolved(document, part)
    if isinstance(shape, Record):
        assert part["additionalProperties"] is False, path
        assert set(part["properties"]) == set(shape.fields), path
        assert set(part.get("required", ())) == set(shape.needed), path
        for name, inner in shape.fields.items():
            compare(document, inner, part["properties"][name], f"{path}.{name}")
    elif isinstance(shape, Rows):
        assert part.get("maxItems") == shape.most, path
        assert part.get("minItems", 0) == shape.least, path
        compare(document, shape.of, part["items"], f"{path}[]")
    elif isinstance(shape, Text) and shape.among:
        assert set(part["enum"]) - {None} == set(shape.among), path
    elif isinstance(shape, Text) and not shape.form:
        assert part["maxLength"] == shape.most, path
        assert part.get("minLength", 0) == shape.least, path


@pytest.mark.parametrize(
    ("name", "part", "shape"),
    [
        ("platform.v1", "Push", PUSH),
        ("platform.v1", "Recall", RECALL),
        ("platform.v1", "Return", RETURN),
        ("platform.v1", "ReturnedFeedback", FEEDBACK_CONTENT),
        ("platform.v1", "ReturnedRecord", CREDIT_RECORD_CONTENT),
        ("credit.v1", "Query", QUERY),
        ("credit.v1", "Reports", REPORTS),
    ],
)
def test_the_simulator_checks_what_the_contract_says(name, part, shape):
    document = contract(name)
    compare(document, shape, document["components"]["schemas"][part])


def test_acceptance_carries_what_the_contract_marks():
    fields = schema("platform.v1", "PushContent")["properties"]
    assert {name for name, part in fields.items() if part.get("x-at-acceptance")} == AT_ACCEPTANCE
    assert set(fields) == set(CONTENT)


@pytest.mark.parametrize(("part", "table"), [("LicenceRecord", XK), ("PenaltyRecord", CF)])
def test_the_columns_of_shuanggongshi_are_the_contracts(part, table):
    found = schema("credit.v1", part)
    assert set(found["properties"]) == set(table)
    assert set(found["required"]) == {name for name, column in table.items() if column.needed == "Y"}
    for name, column in table.items():
        said = found["properties"][name]
        assert said.get("maxLength", column.most) == column.most, name
        assert bool(said.get("x-required-when")) == (
            column.needed in {"L", "O", "N"} or name in {"CF_NR_FK", "CF_NR_WFFF", "CF_NR_ZKDX"}
        ), name
