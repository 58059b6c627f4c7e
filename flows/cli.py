"""The command line. What is heavy is imported inside the commands: Prefect's import alone costs seconds."""

import typer

from flows import (
    cli_alerts,
    cli_bench,
    cli_case,
    cli_city,
    cli_db,
    cli_desk,
    cli_doctor,
    cli_evidence,
    cli_import,
    cli_mirror,
    cli_operator,
    cli_real,
    cli_reconcile,
    cli_run,
    cli_setup,
    cli_status,
)

app = typer.Typer(
    name="shenguan",
    help="审管联动：把每件审批送到监管部门和信用系统，并能证明。",
    no_args_is_help=True,
    add_completion=False,
    # plain help: rich alone takes half a second to import
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
_TOPICS = (
    cli_alerts,
    cli_run,
    cli_city,
    cli_status,
    cli_case,
    cli_db,
    cli_desk,
    cli_doctor,
    cli_evidence,
    cli_import,
    cli_mirror,
    cli_operator,
    cli_real,
    cli_reconcile,
    cli_setup,
    cli_bench,
)
for module in _TOPICS:
    module.register(app)


def main() -> None:
    """The entry point of ``shenguan``: findings are told in Chinese, in one line, with an exit code.

    0 fine, 1 findings, 2 usage, settings or a missing tool, 3 held effects remain.
    """
    from flows.cli_findings import told

    with told():
        app()
