"""The forms Prefect's UI draws: flat, bounded, and titled in Chinese."""

import json
import subprocess
import sys

import pytest

from tests.repository.source import ROOT

ASKS = """
import json, sys
from importlib import import_module
from prefect.utilities.callables import parameter_schema
module, name = sys.argv[1].rsplit(".", 1)
flow = getattr(import_module(module), name)
print(json.dumps({"form": parameter_schema(flow.fn).model_dump(), "doubled": flow.description or ""}))
"""
FORMS = {
    "flows.rerun_failed.rerun_failed": set(),
    "flows.release_held.release_held": {"own_id", "operator", "code"},
    "flows.case_lifecycle.case_lifecycle": {"case_no"},
}


@pytest.mark.parametrize(("flow", "required"), list(FORMS.items()), ids=lambda one: str(one)[:30])
def test_a_form_is_flat_bounded_and_titled_in_chinese(flow, required):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ASKS, flow],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    form = json.loads(done.stdout)["form"]
    assert set(form["required"]) == required
    assert form["definitions"] == {}
    for name, field in form["properties"].items():
        assert any("一" <= sign <= "鿿" for sign in field["title"]), name
        assert field["type"] in {"string", "integer", "boolean"}, name
        assert not {"anyOf", "oneOf", "allOf", "$ref"} & set(field), name
        if field["type"] == "string":
            assert {"maxLength", "enum", "pattern"} & set(field), name
        if field["type"] == "integer":
            assert {"minimum", "maximum"} <= set(field), name
