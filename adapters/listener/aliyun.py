"""短信状态报告 of Alibaba Cloud's shape, read strictly: several in one array, unsigned."""

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.strict_json import NotStrict, read, read_page
from adapters.values import InboundReceipt

MOST = 1000
"""Reports in one array."""
_Moment = Annotated[str, Field(max_length=32)]


class _Report(BaseModel):
    """The report's own field names; others are left unread."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    phone_number: Annotated[str, Field(pattern=r"^\+?\d{5,20}$")]
    send_time: _Moment = ""
    report_time: _Moment = ""
    success: bool
    err_code: Annotated[str, Field(max_length=64)] = ""
    biz_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_^-]{1,64}$")]
    out_id: Annotated[str, Field(max_length=256)] = ""


def read_reports(raw: bytes) -> list[tuple[bytes, InboundReceipt | None]]:
    """Each report's exact bytes with what they say, None where none is in them; no array is one such."""
    try:
        _, items = read_page(b'{"items":' + raw + b"}", most=MOST)
    except NotStrict:
        return [(raw, None)]
    return [(item.raw, read_report(item.raw)) for item in items]


def read_report(raw: bytes) -> InboundReceipt | None:
    """The report in the bytes; None when they are none."""
    try:
        read(raw)
        said = _Report.model_validate_json(raw, strict=True)
    except (NotStrict, ValidationError):
        return None
    return InboundReceipt(
        msg_group=said.biz_id,
        mobile=said.phone_number,
        status="DELIVRD" if said.success else "UNDELIV",
        error_code=said.err_code,
        submitted=re.sub(r"\D", "", said.send_time),
        received=re.sub(r"\D", "", said.report_time),
        gateway="aliyun",
        reference=said.out_id,
    )
