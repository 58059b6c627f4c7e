"""What commands print with ``--json`` as JSON Schema; ``python -m flows.cli_schemas`` writes the pages.

A new command names its shape here; a test walks the command line and finds whoever forgot.
"""

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, create_model

FOLDER = Path("docs") / "schemas"
DRAFT = "https://json-schema.org/draft/2020-12/schema"

SHAPES: Mapping[str, str] = {
    "alerts": "adapters.prefect_api.automations.Applied",
    "bench latency": "flows.bench_shapes.Latency",
    "bench mirror": "flows.bench_shapes.Mirror",
    "case show": "tasks.case_told.CaseTold",
    "cases import": "tasks.imports.report.ImportReport",
    "db maintain": "models.ledger.maintaining.Maintained",
    "decide": "tasks.operators.deciding.Decided",
    "demo": "flows.cli_schemas.demo_summary",
    "dispatch": "tasks.results.Ended",
    "doctor": "tasks.doctor.diagnosis.Diagnosis",
    "drain": "tasks.draining.Drained",
    "evidence export": "tasks.evidence.export.Exported",
    "evidence forget": "tasks.evidence.forgetting.ForgetTold",
    "evidence resume": "tasks.resuming.Resumed",
    "evidence verify": "flows.cli_schemas.evidence_verified",
    "feedback import": "tasks.imports.report.ImportReport",
    "incidents": "tasks.desk.lists.IncidentList",
    "keys create": "tasks.setting_up.Keys",
    "keys evidence": "tasks.setting_up.EvidenceKey",
    "keys rewrap": "tasks.evidence.rewrapping.Rewrapped",
    "keys rotate": "tasks.setting_up.Keys",
    "listen": "tasks.results.Ended",
    "load-city": "tasks.results.CityLoaded",
    "mirror rebuild": "tasks.mirror.rebuild.Rebuilt",
    "migrate": "tasks.setting_up.Migrated",
    "operator add": "tasks.operators.accounts.NewOperator",
    "operator disable": "tasks.operators.accounts.OperatorEnded",
    "operator list": "tasks.operators.accounts.OperatorList",
    "operator unlock": "tasks.operators.accounts.OperatorUnlocked",
    "provision": "tasks.setting_up.Provisioned",
    "quarantine list": "tasks.desk.lists.QuarantineList",
    "quarantine release": "tasks.operators.deciding.Released",
    "quarantine show": "tasks.operators.deciding.Quarantined",
    "real": "tasks.imports.real_summary.RealSummary",
    "release": "tasks.operators.releasing.ReleaseTold",
    "reconcile": "tasks.reconciliation.reconciled.Reconciled",
    "rerun": "flows.cli_schemas.rerun_shapes",
    "statement": "tasks.results.StatementWritten",
    "status": "tasks.status_told.Status",
    "up": "tasks.results.Standing",
}
"""Command → the dataclass it prints, by its dotted name."""


def demo_summary() -> Any:
    """The demo's summary: the ledger's counts by name, and what the demo adds to them."""
    from models.ledger.queries.summary import COUNT_NAMES

    added = (
        "seed", "new_effects", "lost", "doubled", "unexpected", "silent", "can_settle",
        "settled_of_these", "ledger_bytes", "ledger_bytes_per_settled_case",
    )  # fmt: skip
    fields: dict[str, Any] = dict.fromkeys((*COUNT_NAMES, *added), (int, ...))
    fields |= {"first_settled_s": (float | None, ...), "seconds": (float, ...)}
    return create_model("DemoSummary", __doc__="The end of a demo, as in var/demo/summary.json.", **fields)


def rerun_shapes() -> Any:
    """What a rerun of one case prints, or one by a filter (``--failed``)."""
    from tasks.operators.bulk_rerun import BulkRerun
    from tasks.operators.rerunning import Rerun

    return Rerun | BulkRerun


def evidence_verified() -> Any:
    """The whole log's report, or a pack's."""
    from models.evidence.pack import PackVerified
    from tasks.evidence.log import LogVerified

    return LogVerified | PackVerified


def schema_of(command: str) -> dict[str, Any]:
    """The schema of one command's output."""
    module, _, name = SHAPES[command].rpartition(".")
    shape = getattr(import_module(module), name)
    closed = isinstance(shape, type)
    made = TypeAdapter(shape if closed else shape()).json_schema(mode="serialization")
    if closed:
        for part in (made, *made.get("$defs", {}).values()):
            if part.get("type") == "object" and "properties" in part:
                part["additionalProperties"] = False
                # what is written is written whole, empty or not
                part["required"] = list(part["properties"])
    return {"$schema": DRAFT, "$id": f"urn:shenguan:schema:{_file(command)[:-5]}"} | made


def pages() -> dict[str, str]:
    """Every page by its file's name."""
    return {
        _file(command): json.dumps(schema_of(command), ensure_ascii=False, indent=2) + "\n"
        for command in SHAPES
    }


def _file(command: str) -> str:
    return f"{command.replace(' ', '-')}.json"


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, page in pages().items():
        (FOLDER / name).write_text(page, encoding="utf-8")
