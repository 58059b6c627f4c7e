"""Who is who: departments, sections, liaisons, and the versions of the item list."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.ledger.tables.columns import Timestamp, both_or_neither, one_of


class Department(SQLModel, table=True):
    """A department (部门), known by its unified social credit code."""

    __tablename__ = "departments"
    __table_args__ = (one_of("level", ("city", "county", "township")),)

    code: str = Field(primary_key=True, max_length=18)
    name: str
    level: str
    region: str
    unit: str
    role: str
    successor: str | None = None


class Section(SQLModel, table=True):
    """A section (科股室) of a department."""

    __tablename__ = "sections"

    id: str = Field(primary_key=True)
    department_code: str = Field(foreign_key="departments.code")
    name: str


class Liaison(SQLModel, table=True):
    """A liaison (联络员) of a section, for a span of days; name and phone are sealed."""

    __tablename__ = "liaisons"
    __table_args__ = (
        CheckConstraint("rank > 0", name="rank_counts_from_one"),
        both_or_neither("phone_sealed", "phone_index"),
        # one person a rank and a first day
        Index("uq_liaisons_rank", "section_id", "rank", "valid_from", unique=True),
    )

    id: UUID = Field(primary_key=True)
    number: str
    department_code: str = Field(foreign_key="departments.code")
    section_id: str = Field(foreign_key="sections.id")
    rank: int
    name_sealed: bytes
    phone_sealed: bytes | None = None
    phone_index: bytes | None = None
    valid_from: date
    valid_to: date | None = None


class CatalogVersion(SQLModel, table=True):
    """One published version of the item list (审管联动事项清单)."""

    __tablename__ = "catalog_versions"

    version: str = Field(primary_key=True)
    sha256: str = Field(max_length=64)
    loaded_at: datetime = Field(sa_type=Timestamp, sa_column_kwargs={"server_default": text("now()")})


class CatalogItem(SQLModel, table=True):
    """An approval item as one version of the list had it; cases pin it."""

    __tablename__ = "catalog_items"

    version: str = Field(primary_key=True, foreign_key="catalog_versions.version")
    code: str = Field(primary_key=True)
    body: dict[str, Any] = Field(sa_type=JSONB)
