"""The tables; ``metadata`` is what a migrated database must equal."""

from sqlmodel import SQLModel

from models.ledger.tables import city, credit, effects, intake, life, running, supervision

metadata = SQLModel.metadata

__all__ = ["city", "credit", "effects", "intake", "life", "metadata", "running", "supervision"]
