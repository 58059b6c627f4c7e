"""The page ``docs/settings.md``, written from the settings themselves."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from config.settings import Settings, variable_of

_HEAD = """# Settings

Generated from `config/settings.py` by `python -m config.settings_page`; do not edit.
Every setting is an environment variable. An empty one counts as not set. A variable that begins
with `SHENGUAN_` and is not listed here stops the start, as does every value that cannot be; all
problems are named at once.

| variable | 含义 | meaning | values | default |
|--|--|--|--|--|
"""


def settings_page() -> str:
    """The whole page: one row for each variable, secrets marked, defaults as one would write them."""
    return _HEAD + "".join(f"| {' | '.join(row)} |\n" for row in _rows())


def _rows() -> Iterator[tuple[str, ...]]:
    for name, field in Settings.model_fields.items():
        yield (
            f"`{variable_of(name)}`",
            str(field.title),
            str(field.description),
            _values(field.annotation, field.metadata),
            "required" if field.is_required() else _default(field.get_default()),
        )


def _values(kind: Any, metadata: list[Any]) -> str:
    if get_origin(kind) is Annotated:
        kind, *inner = get_args(kind)
        metadata = [*inner, *metadata]
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    if type(None) in get_args(kind):
        return _values(get_args(kind)[0], metadata)
    name = "secret text" if kind is SecretStr else _NAMES.get(kind, "text")
    limits = [
        f"{sign} {getattr(limit, attribute)}"
        for each in metadata
        for limit in getattr(each, "metadata", [each])
        for attribute, sign in _LIMITS.items()
        if getattr(limit, attribute, PydanticUndefined) not in (PydanticUndefined, None)
    ]
    return ", ".join([name, *limits])


def _default(value: Any) -> str:
    return f"`{value}`" if value not in (None, "") else "not set"


_NAMES: dict[Any, str] = {int: "whole number", float: "number"}
_LIMITS = {"gt": ">", "ge": "≥", "le": "≤", "min_length": "length ≥", "max_length": "length ≤"}


if __name__ == "__main__":
    print(settings_page(), end="")  # noqa: T201 - a page for standard output
