"""Reading TOML tables strictly, noting every problem instead of stopping at the first."""

import tomllib
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any


class CityFilesWrong(ValueError):  # noqa: N818 - named as the finding it is
    """A city's files cannot be used; ``problems`` are Chinese sentences, every one of them."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "城市配置有{}处问题：\n{}".format(len(self.problems), "\n".join(self.problems))


def read_file(path: Path, problems: list[str]) -> "Table":
    """The file as a table; an empty one, with a problem noted, where it cannot be read."""
    values: dict[str, Any] = {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problems.append(f"{path.name}：缺少这个文件")
    except OSError as wrong:
        problems.append(f"{path.name}：读不了（{wrong.strerror}）")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        problems.append(f"{path.name}：不是可读的 TOML 文件（{wrong}）")
    return Table(values, path.name, problems)


class Table:
    """One table of a file. Each reader notes what is wrong and answers with a harmless value."""

    def __init__(self, values: Mapping[str, Any], where: str, problems: list[str]) -> None:
        self.values = values
        self.where = where
        self.problems = problems
        self._seen: set[str] = set()

    def wrong(self, sentence: str) -> None:
        """Notes a problem of this table."""
        self.problems.append(f"{self.where}：{sentence}")

    def has(self, key: str) -> bool:
        """Whether the key is written at all."""
        return key in self.values

    def text(self, key: str, *, among: Collection[str] = (), default: str | None = None) -> str:
        """A text; it must not be empty unless a default is given, nor lie outside ``among``."""
        value = self._get(key, default)
        if not isinstance(value, str) or (not value.strip() and default is None):
            self.wrong(f"{key} 须是非空的文字" if default is None else f"{key} 须是文字")
            return ""
        if among and value != default and value not in among:
            self.wrong(f"{key}“{value}”不在允许的范围（{'、'.join(among)}）")
        return value

    def number(self, key: str, *, low: int, high: int, default: int | None = None) -> int:
        """A whole number between both bounds."""
        value = self._get(key, default)
        if type(value) is not int or not low <= value <= high:
            self.wrong(f"{key} 须是 {low} 至 {high} 的整数")
            return low
        return value

    def flag(self, key: str, *, default: bool | None = None) -> bool:
        """True or false."""
        value = self._get(key, default)
        if not isinstance(value, bool):
            self.wrong(f"{key} 须是 true 或 false")
            return False
        return value

    def texts(
        self, key: str, *, among: Collection[str] = (), default: list[str] | None = None
    ) -> tuple[str, ...]:
        """A list of texts without repetition; each value outside ``among`` is named."""
        value = self._get(key, default)
        if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
            self.wrong(f"{key} 须是文字的列表")
            return ()
        for each in sorted({each for each in value if value.count(each) > 1}):
            self.wrong(f"{key} 中“{each}”重复")
        for each in value:
            if among and each not in among:
                self.wrong(f"{key} 中“{each}”不在允许的范围")
        return tuple(value)

    def day(self, key: str, *, optional: bool = False) -> date | None:
        """A TOML date; None where it is optional and not written."""
        value = self._get(key, None if optional else "")
        if optional and value is None:
            return None
        if type(value) is not date:
            self.wrong(f"{key} 须是日期（如 2026-04-01）")
            return None
        return value

    def moment(self, key: str) -> datetime:
        """An RFC 3339 text with its offset."""
        text = self.text(key)
        try:
            value = datetime.fromisoformat(text)
        except ValueError:
            value = None
        if value is None or value.tzinfo is None:
            self.wrong(f"{key} 须是带时区的时间（如 2026-03-01T00:00:00+08:00）")
            return datetime.fromisoformat("9999-01-01T00:00:00+08:00")
        return value

    def table(self, key: str) -> "Table":
        """The table under a key; empty, with a problem noted, where there is none."""
        value = self._get(key, None)
        if not isinstance(value, dict):
            self.wrong(f"缺少 {key}")
            value = {}
        return Table(value, f"{self.where} {key}", self.problems)

    def rows(self, key: str, *, name: str = "code", optional: bool = False) -> Iterator["Table"]:
        """The tables of an array, each known in messages by its place and the value of ``name``."""
        value = self._get(key, [] if optional else None)
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            self.wrong(f"缺少 [[{key}]]")
            return
        for count, row in enumerate(value, start=1):
            yield Table(row, f"{self.where} 第{count}个 {key}（{row.get(name, '未命名')}）", self.problems)

    def finish(self) -> None:
        """Names the keys nobody asked for: a misspelt key must not pass for a default."""
        for key in self.values:
            if key not in self._seen:
                self.wrong(f"不认识的键 {key}")

    def _get(self, key: str, default: Any) -> Any:
        self._seen.add(key)
        return self.values.get(key, default)
