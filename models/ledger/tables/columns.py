"""Column shapes the tables share."""

from collections.abc import Iterable
from enum import StrEnum

from sqlalchemy import CheckConstraint, DateTime
from sqlmodel import SQLModel

# Names are given by rule, so that a migration can name what it changes.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

Timestamp = DateTime(timezone=True)
"""Every moment in the ledger is an aware timestamp in UTC."""


def one_of(column: str, values: type[StrEnum] | Iterable[str]) -> CheckConstraint:
    """The column holds one of these values, which are ours and carry no quotes."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


def both_or_neither(first: str, second: str) -> CheckConstraint:
    """Two columns that only make sense together."""
    return CheckConstraint(f"({first} IS NULL) = ({second} IS NULL)", name=f"{first}_with_{second}")


def states(values: Iterable[str]) -> str:
    """A literal list for a partial index's condition."""
    return ", ".join(f"'{value}'" for value in sorted(values))
