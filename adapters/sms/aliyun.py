"""A gateway of Alibaba Cloud's shape (``adapters/contracts/sms-aliyun.yaml``)."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Self
from urllib.parse import quote, urlencode

from adapters.sms.port import SmsFate
from adapters.strict_json import NotStrict, read
from adapters.transport import Answer, Transport
from adapters.values import SmsReceipt
from models.domain.canonical import canonical
from models.domain.errors import (
    GatewayRefused,
    NotAdmitted,
    NotDone,
    OutcomeUnknown,
    Refused,
    ShenguanError,
    Throttled,
    Unreadable,
)

_ANSWER_LIMIT = 256 * 1024
_ALGORITHM = "ACS3-HMAC-SHA256"
_VERSION = "2017-05-25"
_FORM = "application/x-www-form-urlencoded"
_PAGE = 50
_PAGES = 20
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_BIZ_ID = re.compile(r"[A-Za-z0-9_^-]{1,64}")
_NOBODY = "10000000000"
"""A number nobody can have: to ask after its texts shows whether they answer."""
_STATES: Mapping[int, str] = {1: "", 2: "UNDELIV", 3: "DELIVRD"}


class Rejection(Enum):
    """What a documented rejection asks for. In every case but REPEATED no text left."""

    OUR_KEY = "a corrected setting heals it"
    NOT_NOW = "it may go again later"
    WAIT = "they want fewer calls"
    THIS_GATEWAY = "this account at this gateway; another gateway may take it"
    THIS_TEXT = "this mobile or this text will never do"
    REPEATED = "an earlier copy of this very request arrived, and its text may have left"


REJECTIONS: Mapping[str, Rejection] = {
    "SignatureDoesNotMatch": Rejection.OUR_KEY,
    "InvalidAccessKeyId.NotFound": Rejection.OUR_KEY,
    "isp.RAM_PERMISSION_DENY": Rejection.OUR_KEY,
    "InvalidTimeStamp.Expired": Rejection.NOT_NOW,
    "SignatureNonceUsed": Rejection.REPEATED,
    "Throttling.User": Rejection.WAIT,
    "isv.BUSINESS_LIMIT_CONTROL": Rejection.WAIT,
    "isv.OUT_OF_SERVICE": Rejection.THIS_GATEWAY,
    "isv.ACCOUNT_ABNORMAL": Rejection.THIS_GATEWAY,
    "isv.AMOUNT_NOT_ENOUGH": Rejection.THIS_GATEWAY,
    "isv.SMS_SIGNATURE_ILLEGAL": Rejection.THIS_GATEWAY,
    "isv.SMS_TEMPLATE_ILLEGAL": Rejection.THIS_GATEWAY,
    "isv.MOBILE_NUMBER_ILLEGAL": Rejection.THIS_TEXT,
    "isv.INVALID_PARAMETERS": Rejection.THIS_TEXT,
    "isv.BLACK_KEY_CONTROL_LIMIT": Rejection.THIS_TEXT,
}


@dataclass(frozen=True, slots=True)
class AliyunAccount:
    """The access key, the signature's name and the template, whose one variable is ``content``."""

    access_key_id: str
    access_key_secret: str = field(repr=False)
    sign_name: str
    template_code: str


class AliyunClient:
    """``adapters.sms.port.SmsGateway``. Give it a transport that keeps no connections (``kept_s=0``)."""

    def __init__(self, transport: Transport, account: AliyunAccount, *, deadline_s: float = 20.0) -> None:
        self._transport = transport
        self._account = account
        self._deadline_s = deadline_s

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.aclose()

    @property
    def looks_up(self) -> bool:
        """Each text is known by our reference."""
        return True

    @property
    def deadline_s(self) -> float:
        """The total time one call may take; a lease must outlast it."""
        return self._deadline_s

    async def send(self, mobile: str, text: str, reference: str = "") -> SmsReceipt:
        """See the port."""
        said = await self._act(
            "SendSms",
            {
                "PhoneNumbers": mobile,
                "SignName": self._account.sign_name,
                "TemplateCode": self._account.template_code,
                "TemplateParam": canonical({"content": text}).decode(),
                "OutId": reference,
            },
        )
        number = said.get("BizId")
        if said.get("Code") == "OK" and isinstance(number, str) and _BIZ_ID.fullmatch(number):
            return SmsReceipt(number)
        raise rejection(said, self._transport.target)

    async def alive(self) -> None:
        """See the port. Asks after the texts of a number that nobody has."""
        said = await self._details(_NOBODY, f"{datetime.now(UTC):%Y%m%d}", 1)
        if said.get("Code") != "OK":
            found = rejection(said, self._transport.target)
            if not isinstance(found, Refused) or isinstance(found, GatewayRefused):
                raise found

    async def find(self, mobile: str, day: str, reference: str) -> SmsFate | None:
        """See the port."""
        for page in range(1, _PAGES + 1):
            said = await self._details(mobile, day, page)
            if said.get("Code") != "OK":
                raise NotDone(self._transport.target, "look-up refused")
            rows = _rows(said)
            for row in rows:
                fate = _told(row.get("SendStatus"))
                if row.get("OutId") == reference and row.get("PhoneNum") == mobile and fate is not None:
                    return SmsFate(fate)
            if len(rows) < _PAGE:
                return None
        return None

    async def _details(self, mobile: str, day: str, page: int) -> dict[str, Any]:
        asked = {"PhoneNumber": mobile, "SendDate": day, "PageSize": str(_PAGE), "CurrentPage": str(page)}
        return await self._act("QuerySendDetails", asked)

    async def _act(self, action: str, fields: Mapping[str, str]) -> dict[str, Any]:
        target = self._transport.target
        body = urlencode(fields, quote_via=quote).encode()
        try:
            answer = await self._transport.call(
                "POST",
                "/",
                body=body,
                headers=signed_headers(self._account, self._transport, action, body),
                deadline_s=self._deadline_s,
                max_bytes=_ANSWER_LIMIT,
            )
        except Unreadable as error:
            raise OutcomeUnknown(target, error.rule) from None
        return _said(answer)


def signed_headers(account: AliyunAccount, transport: Transport, action: str, body: bytes) -> dict[str, str]:
    """The headers of one request, signed; the host is the transport's own."""
    digest = hashlib.sha256(body).hexdigest()
    headers = {
        "content-type": _FORM,
        "x-acs-action": action,
        "x-acs-version": _VERSION,
        "x-acs-date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "x-acs-signature-nonce": secrets.token_hex(16),
        "x-acs-content-sha256": digest,
    }
    signed = headers | {"host": transport.host}
    names = ";".join(sorted(signed))
    lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
    request = "\n".join(("POST", f"{transport.prefix}/", "", lines, names, digest))
    base = f"{_ALGORITHM}\n{hashlib.sha256(request.encode()).hexdigest()}"
    mac = hmac.new(account.access_key_secret.encode(), base.encode(), hashlib.sha256).hexdigest()
    credential = f"Credential={account.access_key_id},SignedHeaders={names},Signature={mac}"
    return headers | {"authorization": f"{_ALGORITHM} {credential}"}


def rejection(said: Mapping[str, Any], target: str) -> ShenguanError:
    """What an answer that took no text proves: only a documented code without any sign of success does."""
    code = said.get("Code")
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        return OutcomeUnknown(target, "unreadable answer")
    meaning = REJECTIONS.get(code)
    if meaning is None or said.get("BizId") or not isinstance(said.get("RequestId"), str):
        return OutcomeUnknown(target, f"code {code}")
    return _FINDINGS[meaning](target, code)


_FINDINGS: Mapping[Rejection, Callable[[str, str], ShenguanError]] = {
    Rejection.OUR_KEY: NotAdmitted,
    Rejection.NOT_NOW: NotDone,
    Rejection.WAIT: Throttled,
    Rejection.THIS_GATEWAY: GatewayRefused,
    Rejection.THIS_TEXT: Refused,
    # Our nonce is drawn once: only something between us that sent this request twice can have used it.
    Rejection.REPEATED: OutcomeUnknown,
}


def _told(status: object) -> str | None:
    """The fate a row's status tells; None for what is no documented number."""
    return _STATES.get(status) if type(status) is int else None


def _rows(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    outer = said.get("SmsSendDetailDTOs")
    rows = outer.get("SmsSendDetailDTO") if isinstance(outer, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _said(answer: Answer) -> dict[str, Any]:
    try:
        said = read(answer.body)
    except NotStrict:
        return {}
    return said if isinstance(said, dict) else {}
