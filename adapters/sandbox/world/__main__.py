"""Writes the files of one world: ``python -m adapters.sandbox.world --help``."""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from adapters.sandbox.world.build import World, build

_MOST_CASES = 2_000_000


def main(arguments: list[str] | None = None) -> int:
    """Writes a world and returns 0, or says in Chinese what is wrong and returns 2."""
    parser = argparse.ArgumentParser(
        prog="python -m adapters.sandbox.world", description="生成一座虚构城市的数据"
    )
    parser.add_argument("--seed", default="1", help="种子：相同的种子生成相同的文件")
    parser.add_argument("--cases", type=int, default=2000, help="办件数量")
    parser.add_argument("--city-dir", type=Path, default=Path("config/yiyang"), help="城市配置目录")
    parser.add_argument("--out", type=Path, required=True, help="输出目录")
    given = parser.parse_args(arguments)
    if not 1 <= given.cases <= _MOST_CASES:
        sys.stderr.write(f"办件数量须在 1 至 {_MOST_CASES} 之间\n")
        return 2
    try:
        write(build(given.seed, given.cases, given.city_dir), given.out)
    except (OSError, ValueError, KeyError) as wrong:
        sys.stderr.write(f"无法生成：{wrong}\n")
        return 2
    return 0


def write(world: World, folder: Path) -> None:
    """The world's files in ``folder``, which is made; what was there under their names is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ("feed_cases", "answers", "feed_feedback", "credit_parties", "credit_records", "credit_arrivals")
    for name in lines:
        _write(folder / f"{name}.jsonl", (_line(row) for row in getattr(world, name)))
    _write(folder / "liaisons.json", [json.dumps(world.liaisons, ensure_ascii=False, indent=1)])
    # Last: whoever finds it finds a whole world.
    _write(folder / "world.json", [json.dumps(world.world, ensure_ascii=False, indent=1)])


def _write(path: Path, lines: Iterable[str]) -> None:
    beside = path.with_name(f"{path.name}.part")
    with beside.open("w", encoding="utf-8", newline="\n") as file:
        for line in lines:
            file.write(line + "\n")
    beside.replace(path)


def _line(row: dict[str, Any]) -> str:
    text = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate travels escaped, or not at all
        return json.dumps(row, separators=(",", ":"))
    return text


if __name__ == "__main__":
    sys.exit(main())
