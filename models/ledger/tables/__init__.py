"""The tables; ``metadata`` is what a migrated database must equal."""

from sqlmodel import SQLModel

from models.ledger.tables import (
    alerts,
    breakers,
    city,
    credit,
    data_keys,
    effects,
    evidence,
    guard,
    intake,
    key_marks,
    life,
    months,
    operators,
    reconciling,
    running,
    supervision,
)

metadata = SQLModel.metadata

__all__ = [
    "alerts",
    "breakers",
    "city",
    "credit",
    "data_keys",
    "effects",
    "evidence",
    "guard",
    "intake",
    "key_marks",
    "life",
    "metadata",
    "months",
    "operators",
    "reconciling",
    "running",
    "supervision",
]
