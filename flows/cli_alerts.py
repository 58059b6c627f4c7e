"""`shenguan alerts`: Prefect's automations made what config/automations.toml says, beside `make up`."""

import asyncio

import typer

from flows.cli_output import Json, begin_work, say


def register(app: typer.Typer) -> None:
    """Put the command on the command line."""
    app.command()(alerts)


def alerts(json_out: Json = False) -> None:
    """把告警规则（config/automations.toml）写入 Prefect；可重复执行。告警发往 SHENGUAN_ALERT_WEBHOOK_URL。"""
    from flows.cli_findings import FINDINGS, FINE
    from tasks.watching_rules import RULES, apply_rules

    settings = begin_work(log_level="warning")
    done = asyncio.run(apply_rules(settings, RULES))
    lines = [f"已启用  {name}" for name in done.automations] + [f"已删除  {name}" for name in done.deleted]
    if not done.calls:
        lines.append("没有设定 SHENGUAN_ALERT_WEBHOOK_URL：规则已在，但不会通知任何人")
    say(done, lines, json_out=json_out)
    raise typer.Exit(FINE if done.calls else FINDINGS)
