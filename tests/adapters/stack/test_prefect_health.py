"""What the doctor asks of a real Prefect server."""

from pathlib import Path

import pytest

from adapters.prefect_api.health import Deployed, PrefectHealth, declared
from adapters.prefect_api.values import PrefectSaidNo
from adapters.reach import why_not_reached
from adapters.stack.ready import free_port

pytestmark = pytest.mark.stack
ROOT = Path(__file__).resolve().parents[3]


async def test_version_and_deployments_are_told(deployed) -> None:
    async with PrefectHealth(deployed.api_url, auth=deployed.auth) as prefect:
        assert await prefect.version() == "3.8.8"
        found = {each.name: each for each in await prefect.deployed()}
    assert set(declared(ROOT / "prefect.yaml")) <= found.keys()
    assert [each.name for each in found.values() if each.doubled] == []
    timed = [each for each in found.values() if each.schedules]
    assert timed
    assert all("Asia/Shanghai" in line for each in timed for line in each.schedules)


async def test_a_wrong_login_is_told_apart_from_nobody(deployed) -> None:
    async with PrefectHealth(deployed.api_url, auth="admin:wrong") as prefect:
        with pytest.raises(PrefectSaidNo) as said:
            await prefect.deployed()
    assert said.value.status == 401
    assert await why_not_reached(deployed.api_url) is None
    assert await why_not_reached(f"http://127.0.0.1:{free_port()}") == "ConnectionRefusedError"


def test_a_schedule_that_is_there_twice_is_seen() -> None:
    assert Deployed("sweep", False, ("a", "b", "a")).doubled == ("a",)
    assert Deployed("sweep", False, ("a", "b")).doubled == ()


def test_a_prefect_yaml_that_cannot_be_read_is_said(tmp_path) -> None:
    assert declared(tmp_path / "prefect.yaml") == ()
    (tmp_path / "prefect.yaml").write_text("deployments: [a: b")
    with pytest.raises(ValueError, match=r"prefect\.yaml"):
        declared(tmp_path / "prefect.yaml")
