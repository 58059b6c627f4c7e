"""状态报告 of 云MAS, read strictly: one mobile each, unsigned."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.strict_json import NotStrict, read
from adapters.values import InboundReceipt

_Moment = Annotated[str, Field(pattern=r"^(\d{14})?$")]


class _StateReport(BaseModel):
    """The report's own field names; others are left unread."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    report_status: Annotated[str, Field(alias="reportStatus", pattern=r"^[A-Za-z0-9_:-]{1,32}$")]
    mobile: Annotated[str, Field(pattern=r"^\+?\d{5,20}$")]
    submit_date: Annotated[_Moment, Field(alias="submitDate")] = ""
    receive_date: Annotated[_Moment, Field(alias="receiveDate")] = ""
    error_code: Annotated[str, Field(alias="errorCode", pattern=r"^[A-Za-z0-9_:-]{0,32}$")] = ""
    msg_group: Annotated[str, Field(alias="msgGroup", pattern=r"^[A-Za-z0-9_-]{1,64}$")]


def read_receipt(raw: bytes) -> InboundReceipt | None:
    """The report in the bytes; None when they are none."""
    try:
        read(raw)
        said = _StateReport.model_validate_json(raw, strict=True)
    except (NotStrict, ValidationError):
        return None
    return InboundReceipt(
        msg_group=said.msg_group,
        mobile=said.mobile,
        status=said.report_status,
        error_code=said.error_code,
        submitted=said.submit_date,
        received=said.receive_date,
    )
