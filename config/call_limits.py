"""How often, and how many at once, an outside system or one department may be called by all of us."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic_core import PydanticCustomError

_ONE = re.compile(
    r"(?P<target>platform|credit|sms|[0-9A-Z]{18})\s*=\s*(?:(?P<per_s>\d+(?:\.\d+)?)/s)?"
    r"\s*,?\s*(?:(?P<in_flight>\d+)\s*并发)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class CallLimit:
    """Calls a second, and calls at once; None is no limit. Of a department only calls a second."""

    per_s: float | None
    in_flight: int | None


def call_limits(text: str) -> Mapping[str, CallLimit]:
    """The limits by system or department, of ``platform=50/s,16并发;sms=5/s;11430900PDY00001X6=2/s``.

    Raises:
        PydanticCustomError: it is not written so, or limits nothing, or to nothing.
    """
    found: dict[str, CallLimit] = {}
    for part in filter(None, (each.strip() for each in text.split(";"))):
        said = _ONE.fullmatch(part)
        per_s = float(said["per_s"]) if said and said["per_s"] else None
        in_flight = int(said["in_flight"]) if said and said["in_flight"] else None
        department = said is not None and len(said["target"]) > len("platform")
        wrong = (per_s is None and in_flight is None) or 0 in (per_s, in_flight)
        if said is None or wrong or said["target"] in found or (department and in_flight is not None):
            raise PydanticCustomError(
                "call_limits", "应写作“platform=50/s,16并发;sms=5/s;部门代码=2/s”，部门只限每秒次数"
            )
        found[said["target"]] = CallLimit(per_s, in_flight)
    return found


def checked_limits(text: str) -> str:
    """The text, when it can be read."""
    call_limits(text)
    return text
