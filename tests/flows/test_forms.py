"""The forms Prefect's UI draws: flat, bounded, and titled in Chinese."""

import json
import subprocess
import sys

import pytest
import yaml

from tests.repository.source import ROOT

ASKS = """
import json, sys
from importlib import import_module
from prefect.utilities.callables import parameter_schema
forms = {}
for entrypoint in sys.argv[1:]:
    module, name = entrypoint.rsplit(".", 1)
    forms[entrypoint] = parameter_schema(getattr(import_module(module), name).fn).model_dump()
print(json.dumps(forms))
"""
ENTRYPOINTS = [
    deployment["entrypoint"]
    for deployment in yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
]
REQUIRED = {
    "flows.release_held.release_held": {"own_id", "operator", "code"},
    "flows.case_lifecycle.case_lifecycle": {"case_no"},
    "flows.incident.incident": {"matter"},
}


@pytest.fixture(scope="module")
def forms():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ASKS, *ENTRYPOINTS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_something_is_asked_on_more_than_one_form(forms):
    assert len([form for form in forms.values() if form["properties"]]) > len(REQUIRED)


@pytest.mark.parametrize("entrypoint", ENTRYPOINTS)
def test_a_form_is_flat_bounded_and_titled_in_chinese(forms, entrypoint):
    form = forms[entrypoint]
    assert set(form["required"]) == REQUIRED.get(entrypoint, set())
    assert form["definitions"] == {}
    for name, field in form["properties"].items():
        assert any("一" <= sign <= "鿿" for sign in field["title"]), name
        assert field["type"] in {"string", "integer", "boolean"}, name
        assert not {"anyOf", "oneOf", "allOf", "$ref"} & set(field), name
        if field["type"] == "string":
            assert {"maxLength", "enum", "pattern"} & set(field), name
        if field["type"] == "integer":
            assert {"minimum", "maximum"} <= set(field), name
