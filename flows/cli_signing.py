"""A name and its one-time code on the command line: asked for on a terminal, given by option elsewhere."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tasks.composition import Services

By = Annotated[str, typer.Option("--by", help="经办人账户（shenguan operator add 建立），记入台账")]
OptionalBy = Annotated[str, typer.Option("--by", help="经办人账户，真正执行时必填")]
Code = Annotated[
    str | None,
    typer.Option("--code", help="一次性口令（6 位）；写 - 从标准输入读；在终端上可不写，会请您输入"),
]


def code_of(given: str | None) -> str:
    """The code as given, read from standard input (``-``), or asked for on a terminal without an echo.

    Raises:
        typer.BadParameter: none was given, and there is nobody to ask.
    """
    if given == "-":
        return sys.stdin.readline().strip()
    if given:
        return given
    if not sys.stdin.isatty():
        raise typer.BadParameter("需要一次性口令：请加 --code", param_hint="--code")
    said: str = typer.prompt("一次性口令", hide_input=True, err=True)
    return said


async def signed(services: "Services", *, by: str, code: str, act: str, subject: str) -> str:
    """The proven name; see :func:`tasks.operators.accounts.prove`."""
    from tasks.operators.accounts import prove

    return await prove(services.ledger, services.sealing, name=by, code=code, act=act, subject=subject)
