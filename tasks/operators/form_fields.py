"""Fields of the forms that Prefect's UI draws from a flow's parameters."""

from typing import Any

from pydantic import Field
from pydantic_core import PydanticUndefined


def asked(title: str, default: Any = PydanticUndefined, *, under: str | None = None) -> Any:
    """A parameter's default with the title people read, and what stands ``under`` it.

    Prefect 3.8.8 gives each parameter its own name as title, whatever ``Field(title=…)`` says, and looks
    at no ``Annotated``; what is merged into the schema afterwards stands.
    """
    return Field(default, description=under, json_schema_extra={"title": title})
