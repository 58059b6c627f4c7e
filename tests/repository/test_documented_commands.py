"""Every command line a page shows, or a sentence advises, is one the real command line takes."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from flows.cli import app
from tests.repository.source import modules, shown, tracked, tree

INLINE = re.compile(r"`(?:\.venv/bin/)?shenguan\s([^`]*)`")
FENCED = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINE = re.compile(r"(?:^|[ /])shenguan (.*)", re.MULTILINE)
CHINESE = re.compile(r"[一-鿿]")
_VALUE = r"[^\s，。；：、“”（）`-][^\s，。；：、“”（）`]*"
ADVICE = re.compile(rf"shenguan ([a-z][a-z-]*(?: [a-z][a-z-]*)?(?: --[a-z-]+(?: {_VALUE})?)*)")

LABELS = {"evidence salt"}
"""Words that another text is hashed with; no command."""
SIGNED = {
    "rerun": ("number", "go"),
    "reconcile": ("lost", "new_host", "new_ledger"),
    "evidence export": ("opened",),
}
"""Where ``--by`` is an option for the parser, and asked for as soon as one of these is given."""


def told() -> Iterator[tuple[str, str]]:
    """Page, or module with a Chinese sentence, and what stands behind ``shenguan`` there."""
    for page in tracked():
        if page.suffix != ".md":
            continue
        text = page.read_text(encoding="utf-8")
        blocks = FENCED.findall(text)
        lines = [line for block in blocks for line in LINE.findall(block)]
        lines += INLINE.findall(FENCED.sub("", text))
        yield from ((shown(page), line) for line in dict.fromkeys(" ".join(line.split()) for line in lines))
    for module in modules():
        texts = [node.value for node in ast.walk(tree(module)) if isinstance(node, ast.Constant)]
        said = [text for text in texts if isinstance(text, str) and CHINESE.search(text)]
        yield from ((shown(module), line) for text in said for line in ADVICE.findall(text))


def words(line: str) -> list[str]:
    """The arguments: notes and what follows another command cut, ``[optional]`` given, ``a|b`` chosen."""
    given = shlex.split(line.split(";", maxsplit=1)[0].replace("[", "").replace("]", ""), comments=True)
    return [word.split("|")[0] for word in given if word != "…"]


def refusal(line: str) -> str | None:
    """Why the command line would not take it; None where it would. A command's mere name is one."""
    command, rest, path = get_command(app), words(line), []
    context = typer.Context(command, info_name="shenguan")
    while rest and (inner := getattr(command, "commands", {}).get(rest[0])) is not None:
        path.append(rest.pop(0))
        command, context = inner, typer.Context(inner, info_name=path[-1], parent=context)
    if not path or (rest and hasattr(command, "commands")):
        return f"no command {line}"
    if not rest:
        return None
    try:
        params = command.make_context(path[-1], rest, parent=context.parent).params
    except typer.TyperException as refused:
        return str(refused)
    signs = [name for name in SIGNED.get(" ".join(path), ()) if params[name]]
    return f"{', '.join(signs)} without --by" if signs and not params["by"] else None


def test_every_command_line_that_people_read_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = list(told())
    monkeypatch.chdir(tmp_path)
    for name in {word for _, line in lines for word in words(line) if re.fullmatch(r"[^-/][^/]*", word)}:
        Path(name).touch()  # what a page names FILE or 名单.json must be there to be taken
    assert {page for page, _ in lines} >= {
        "README.md",
        "README.zh.md",
        "docs/runbook.md",
        "docs/runbook.zh.md",
        "tasks/doctor/examining.py",
    }
    refused = [
        f"{page}: shenguan {line}: {why}"
        for page, line in lines
        if line not in LABELS and (why := refusal(line)) is not None
    ]
    assert refused == []


@pytest.mark.parametrize(
    "line",
    [
        "nothing",
        "evidence nothing",
        "evidence forget NO --note BASIS",
        "evidence forget NO --by NAME --note BASIS --harder",
        "rerun NO",
        "rerun --failed --go",
        "drain --timeout soon",
    ],
)
def test_a_line_it_would_not_take_is_found(line: str) -> None:
    assert refusal(line) is not None
