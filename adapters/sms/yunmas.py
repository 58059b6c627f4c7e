"""中国移动云MAS over HTTP, 普通短信 (``adapters/contracts/sms-yunmas.yaml``)."""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Self

from adapters.problems import effect_finding
from adapters.sms.port import SmsFate
from adapters.strict_json import NotStrict, read
from adapters.transport import Answer, Transport
from adapters.values import SmsReceipt
from models.domain.canonical import canonical
from models.domain.errors import NotAdmitted, OutcomeUnknown, Refused, ShenguanError, Unreadable

_ANSWER_LIMIT = 64 * 1024
_CODE = re.compile(r"[A-Za-z0-9_:-]{1,40}")
_GROUP = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Rejection(Enum):
    """What a documented rejection asks for. In either case no text left."""

    OUR_SETTINGS = "a corrected setting heals it"
    THIS_TEXT = "this mobile or this text will never do"


REJECTIONS: Mapping[str, Rejection] = {
    "IllegalMac": Rejection.OUR_SETTINGS,
    "InvalidUsrOrPwd": Rejection.OUR_SETTINGS,
    "IllegalSignId": Rejection.OUR_SETTINGS,
    "NoSignId": Rejection.OUR_SETTINGS,
    "InvalidMessage": Rejection.THIS_TEXT,
    "InvalidMobile": Rejection.THIS_TEXT,
    "DupMobile": Rejection.THIS_TEXT,
    "TooManyMobiles": Rejection.THIS_TEXT,
}


@dataclass(frozen=True, slots=True)
class YunmasAccount:
    """The enterprise's account: name, interface account and its key, signature code, extension digits."""

    ec_name: str
    ap_id: str
    secret_key: str = field(repr=False)
    sign: str
    add_serial: str = ""


class YunmasClient:
    """``adapters.sms.port.SmsGateway``. Give it a transport that keeps no connections (``kept_s=0``).

    A request written to a connection that the gateway is just closing would have an unknown outcome,
    and here an unknown outcome waits for a person.
    """

    def __init__(self, transport: Transport, account: YunmasAccount, *, deadline_s: float = 20.0) -> None:
        self._transport = transport
        self._account = account
        self._deadline_s = deadline_s

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.aclose()

    @property
    def looks_up(self) -> bool:
        """There is no look-up on this wire."""
        return False

    @property
    def deadline_s(self) -> float:
        """The total time one call may take; a lease must outlast it."""
        return self._deadline_s

    async def send(self, mobile: str, text: str, reference: str = "") -> SmsReceipt:  # noqa: ARG002 - this wire has no place for it
        """See the port."""
        target = self._transport.target
        answer = await self._submit(mobile, text)
        group = accepted_group(answer)
        if group is None:
            raise rejection(answer, target)
        return SmsReceipt(group)

    async def alive(self) -> None:
        """See the port. A text of nothing to nobody is refused, and the refusal is the answer."""
        found = rejection(await self._submit("", ""), self._transport.target)
        if not isinstance(found, Refused):
            raise found

    async def find(self, mobile: str, day: str, reference: str) -> SmsFate | None:  # noqa: ARG002 - see the port
        """See the port: this gateway has no look-up."""
        return None

    async def _submit(self, mobile: str, text: str) -> Answer:
        target = self._transport.target
        try:
            answer = await self._transport.call(
                "POST",
                "/sms/norsubmit",
                body=request_body(self._account, mobile, text),
                headers={"content-type": "text/plain;charset=utf-8"},
                deadline_s=self._deadline_s,
                max_bytes=_ANSWER_LIMIT,
            )
        except Unreadable as error:
            raise OutcomeUnknown(target, error.rule) from None
        if answer.status != 200:  # noqa: PLR2004
            raise effect_finding(answer, target)
        return answer


def request_body(account: YunmasAccount, mobile: str, text: str) -> bytes:
    """Base64 of the JSON request; ``mac`` is the MD5 over the fields in the gateway's order."""
    fields = {
        "ecName": account.ec_name,
        "apId": account.ap_id,
        "secretKey": account.secret_key,
        "mobiles": mobile,
        "content": text,
        "sign": account.sign,
        "addSerial": account.add_serial,
    }
    mac = hashlib.md5("".join(fields.values()).encode(), usedforsecurity=False).hexdigest()
    return base64.b64encode(canonical(fields | {"mac": mac}))


def accepted_group(answer: Answer) -> str | None:
    """The group of an answer that says in every field that the text was taken; None otherwise.

    The documented misspelling ``mgsGroup`` counts as ``msgGroup``.
    """
    said = _said(answer)
    group = said.get("msgGroup") or said.get("mgsGroup")
    if said.get("rspcod") != "success" or said.get("success") is not True:
        return None
    return group if isinstance(group, str) and _GROUP.fullmatch(group) else None


def rejection(answer: Answer, target: str) -> ShenguanError:
    """What an answer without a group proves: only a documented code without any sign of success does."""
    said = _said(answer)
    code = said.get("rspcod")
    if not isinstance(code, str):
        return OutcomeUnknown(target, "unreadable answer")
    if not _CODE.fullmatch(code):
        return OutcomeUnknown(target, "rspcod without a name")
    meaning = REJECTIONS.get(code)
    contradicts = said.get("success") is not False or said.get("msgGroup") or said.get("mgsGroup")
    if meaning is None or contradicts:
        return OutcomeUnknown(target, f"rspcod {code}")
    if meaning is Rejection.OUR_SETTINGS:
        return NotAdmitted(target, code)
    return Refused(target, code)


def _said(answer: Answer) -> dict[str, Any]:
    try:
        said = read(answer.body)
    except NotStrict:
        return {}
    return said if isinstance(said, dict) else {}
