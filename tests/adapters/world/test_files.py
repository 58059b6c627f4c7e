"""The same seed gives the same files, in any process."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.sandbox.world import __main__ as program
from adapters.sandbox.world.build import World, build
from adapters.sandbox.world.shares import SHARES
from tests.adapters.world.reading import (
    ROOT,
    YIYANG,
)


def test_the_same_seed_gives_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    for name, hash_seed in (("a", "1"), ("b", "2")):
        subprocess.run(
            [
                *(sys.executable, "-m", "adapters.sandbox.world", "--seed", "9", "--cases", "60"),
                *("--city-dir", str(YIYANG), "--out", str(tmp_path / name)),
            ],
            check=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
        )
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == [
        "answers.jsonl",
        "credit_arrivals.jsonl",
        "credit_parties.jsonl",
        "credit_records.jsonl",
        "feed_cases.jsonl",
        "feed_feedback.jsonl",
        "liaisons.json",
        "world.json",
    ]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        assert (tmp_path / "a" / name).read_bytes().endswith(b"\n")


def test_another_seed_gives_another_world(world: World) -> None:
    assert build("6", 60, YIYANG).feed_cases != build("7", 60, YIYANG).feed_cases


def test_files_can_be_read_line_by_line(tmp_path: Path, world: World) -> None:
    program.write(world, tmp_path)
    lines = (tmp_path / "feed_cases.jsonl").read_bytes().decode("utf-8").split("\n")[:-1]
    assert [json.loads(line) for line in lines] == world.feed_cases
    assert json.loads((tmp_path / "world.json").read_text("utf-8"))["seed"] == world.world["seed"]


@pytest.mark.parametrize("arguments", [["--cases", "0"], ["--city-dir", "/nowhere"]])
def test_wrong_arguments_are_said_in_chinese(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    given = ["--cases", "5", "--city-dir", str(YIYANG), "--out", str(tmp_path), *arguments]
    assert program.main(given) == 2
    assert re.search(r"办件数量须在|无法生成", capsys.readouterr().err)


@pytest.mark.parametrize("cases", [1, 20, 199, 200, 600])
def test_a_world_has_as_many_cases_as_asked_for(cases: int) -> None:
    assert sum(build("3", cases, YIYANG).world["seeded"].values()) == cases


def test_every_trait_is_there(world: World) -> None:
    assert set(world.world["seeded"]) == {"plain", *(trait for trait, *_ in SHARES)}
    small = build("5", 20, YIYANG).world["seeded"]
    assert len(small) >= 12
    assert {"not_applicable", "secret", "repeated", "withdrawn_after_push", "broken_credit_code"} <= set(
        small
    )


def test_the_world_imports_nothing_of_ours() -> None:
    for path in (ROOT / "adapters" / "sandbox" / "world").glob("*.py"):
        for line in path.read_text("utf-8").splitlines():
            if found := re.match(r"(?:from|import) ([\w.]+)", line):
                name = found[1]
                assert (
                    name.startswith("adapters.sandbox.world") or name.split(".")[0] in sys.stdlib_module_names
                )
