"""A second SMS gateway, of Alibaba Cloud's shape: takes a text, answers with a BizId, reports in arrays.

It does not de-duplicate either: the same request twice is two texts. It can be asked after a text.
"""

import hashlib
import hmac
import json
import os
import random
import re
import secrets
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from adapters.sandbox.app import BODY, FAULT, Options, Simulator
from adapters.sandbox.batched_receipts import BatchCourier
from adapters.sandbox.clock import machine_now, written
from adapters.sandbox.wire import answer, canonical, sha256

MOST_TEXT = 1000
_SKEW_S = 900
_UNDELIVERED = 0.02
_ERRORS = ("MOBILE_NOT_ON_SERVICE", "SUBMIT_FAIL", "EXPIRED")
_NAMES = "content-type;host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"


class AliyunGateway(Simulator):
    """The gateway: one ledger line a text."""

    signed = False

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._seed = str(self.world.get("seed", 0))
        self._undelivered = float(self.world.get("sms_undelivered", _UNDELIVERED))
        self._sign = str(self.world.get("sms_sign_name", ""))
        self._courier = BatchCourier(_listener(options.listener), self.log)
        self._nonces: set[str] = set()
        self._texts: list[dict[str, Any]] = []
        reported = {line["receipt"] for line in self.log.lines() if _is_settled(line)}
        self._unreported = []
        for line in self.journal.lines():
            self._texts.append(line)
            if line["receipt"] not in reported:
                self._unreported.append(line)

    def routes(self) -> list[web.RouteDef]:
        """The route of sms-aliyun.yaml."""
        return [web.post("/", self._act)]

    def target_text(self, body: bytes) -> str:
        """The fields of the form, decoded."""
        return json.dumps(dict(parse_qsl(body.decode("utf-8", "replace"))), ensure_ascii=False)

    async def begin(self) -> None:
        """Post what a stopped gateway had not posted."""
        for line in self._unreported:
            self._courier.put(self._report(line), after=0.2)

    async def end(self) -> None:
        """Stop posting."""
        await self._courier.close()

    async def _act(self, request: web.Request) -> web.Response:
        code = self._not_admitted(request)
        if code:
            return self._refused(request, code, status=403 if code.startswith("isp") else 400)
        fields = dict(parse_qsl(request[BODY].decode("utf-8", "replace"), keep_blank_values=True))
        if request.headers.get("x-acs-action") == "QuerySendDetails":
            return self._details(request, fields)
        return await self._send(request, fields)

    async def _send(self, request: web.Request, fields: dict[str, str]) -> web.Response:
        content, code = _content(fields)
        if self._sign not in {"", fields.get("SignName")}:
            code = "isv.SMS_SIGNATURE_ILLEGAL"
        if code:
            return self._refused(request, code)
        stored = {"content": content}
        number = f"{secrets.randbelow(10**15):015d}{len(self._texts):05d}^0"
        line = {
            "at": written(self.clock.now()),
            "machine_at": machine_now(),
            "own_id": None,
            "business_key": None,
            "kind": "sms",
            "stage": None,
            "content_version": None,
            "content": stored,
            "content_sha256": sha256(canonical(stored)),
            "body_sha256": sha256(request[BODY]),
            "outcome": "stored",
            "receipt": number,
            "target": fields["PhoneNumbers"],
            "out_id": fields.get("OutId", ""),
        }
        try:
            await self.journal.append([canonical(line)])
        except OSError:
            return self._refused(request, "isp.SYSTEM_ERROR", status=500)
        self._texts.append(line)
        fault = request.get(FAULT)
        await self._report_by_fault(fault.do if fault else {}, line)
        return answer(_reply("OK") | {"BizId": number})

    def _details(self, request: web.Request, fields: dict[str, str]) -> web.Response:
        day, mobile = fields.get("SendDate", ""), fields.get("PhoneNumber", "")
        size, page = fields.get("PageSize", ""), fields.get("CurrentPage", "")
        if not (re.fullmatch(r"\d{8}", day, re.ASCII) and size.isdigit() and page.isdigit()):
            return self._refused(request, "isv.INVALID_PARAMETERS")
        if not re.fullmatch(r"1\d{10}", mobile, re.ASCII):
            return self._refused(request, "isv.MOBILE_NUMBER_ILLEGAL")
        mine = [
            line
            for line in self._texts
            if line["target"] == mobile and re.sub(r"\D", "", line["at"][:10]) == day
        ]
        begin = (int(page) - 1) * int(size)
        rows = [self._detail(line) for line in mine[begin : begin + int(size)]]
        return answer(
            _reply("OK") | {"TotalCount": len(mine), "SmsSendDetailDTOs": {"SmsSendDetailDTO": rows}}
        )

    def _detail(self, line: dict[str, Any]) -> dict[str, Any]:
        return {
            "PhoneNum": line["target"],
            "SendDate": line["at"][:19].replace("T", " "),
            "SendStatus": 3 if self._arrives(line) else 2,
            "ErrCode": "DELIVERED" if self._arrives(line) else _ERRORS[0],
            "OutId": line["out_id"],
            "Content": line["content"]["content"],
        }

    def _not_admitted(self, request: web.Request) -> str:
        """The code of who may not ask at all, or nothing."""
        given = dict(
            part.partition("=")[::2]
            for part in request.headers.get("Authorization", "").removeprefix("ACS3-HMAC-SHA256 ").split(",")
        )
        secret = self.options.keys.get(given.get("Credential", ""))
        if secret is None:
            return "InvalidAccessKeyId.NotFound"
        digest = hashlib.sha256(request[BODY]).hexdigest()
        names = given.get("SignedHeaders", "")
        lines = "".join(f"{name}:{request.headers.get(name, '')}\n" for name in names.split(";"))
        asked = f"POST\n{request.path}\n{request.query_string}\n{lines}\n{names}\n{digest}"
        base = f"ACS3-HMAC-SHA256\n{hashlib.sha256(asked.encode()).hexdigest()}"
        mac = hmac.new(secret.encode(), base.encode(), hashlib.sha256).hexdigest()
        same = hmac.compare_digest(mac, given.get("Signature", ""))
        if not same or names != _NAMES or request.headers.get("x-acs-content-sha256") != digest:
            return "SignatureDoesNotMatch"
        return self._stale(request.headers.get("x-acs-date", ""), request.headers["x-acs-signature-nonce"])

    def _stale(self, date: str, nonce: str) -> str:
        try:
            at = datetime.strptime(date, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError:
            return "InvalidTimeStamp.Expired"
        if abs((datetime.now(UTC) - at).total_seconds()) > _SKEW_S:
            return "InvalidTimeStamp.Expired"
        if nonce in self._nonces:
            return "SignatureNonceUsed"
        self._nonces.add(nonce)
        return ""

    def _refused(self, request: web.Request, code: str, *, status: int = 200) -> web.Response:
        noted = {"at": written(self.clock.now()), "outcome": "refused", "code": code}
        self.log.note(noted | {"body_sha256": sha256(request[BODY])})
        return answer(_reply(code), status=status)

    async def _report_by_fault(self, do: dict[str, Any], line: dict[str, Any]) -> None:
        kind = do.get("kind", "")
        report = self._report(line)
        if kind == "no_receipt":
            self._courier.settled(report, "receipt_withheld")
            return
        if kind == "unknown_receipt":
            stranger = report | {"biz_id": f"9{report['biz_id'][1:]}", "out_id": "STRANGER"}
            self._courier.put(stranger, after=0.05, note=False)
        if kind == "early_receipt" and await self._courier.post([report]):
            self._courier.settled(report, "receipt_taken")
            return
        if kind == "double_receipt":
            self._courier.put(report, after=0.05, note=False)
        delay = self._draw("delay", line["receipt"]).uniform(0.05, 0.2)
        self._courier.put(report, after=float(do.get("seconds", 5)) if kind == "late_receipt" else delay)

    def _report(self, line: dict[str, Any]) -> dict[str, Any]:
        arrives = self._arrives(line)
        error = self._draw("error", line["receipt"]).choice(_ERRORS)
        return {
            "phone_number": line["target"],
            "send_time": line["at"][:19].replace("T", " "),
            "report_time": f"{self.clock.now():%Y-%m-%d %H:%M:%S}",
            "success": arrives,
            "err_code": "DELIVERED" if arrives else error,
            "err_msg": "用户接收成功" if arrives else "用户接收失败",
            "sms_size": "1",
            "biz_id": line["receipt"],
            "out_id": line["out_id"],
        }

    def _arrives(self, line: dict[str, Any]) -> bool:
        return self._draw("state", line["target"], line["out_id"]).random() >= self._undelivered

    def _draw(self, *what: str) -> random.Random:
        return random.Random(f"{self._seed}|{what}")


def _content(fields: dict[str, str]) -> tuple[str, str]:
    """The text in a request, or the code of its refusal."""
    needed = ("PhoneNumbers", "SignName", "TemplateCode", "TemplateParam")
    if not all(fields.get(name) for name in needed):
        return "", "isv.INVALID_PARAMETERS"
    if not re.fullmatch(r"1\d{10}", fields["PhoneNumbers"], re.ASCII):
        return "", "isv.MOBILE_NUMBER_ILLEGAL"
    try:
        said = json.loads(fields["TemplateParam"])
        content = said["content"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return "", "isv.INVALID_PARAMETERS"
    if not isinstance(content, str) or not 0 < len(content) <= MOST_TEXT:
        return "", "isv.INVALID_PARAMETERS"
    return content, ""


def _reply(code: str) -> dict[str, Any]:
    return {"Code": code, "Message": code, "RequestId": secrets.token_hex(16).upper()}


def _is_settled(line: dict[str, Any]) -> bool:
    return str(line.get("outcome", "")).startswith("receipt_")


def _listener(given: str) -> str:
    """The address to post to; a bare one gets the contract's path with the secret of the environment."""
    if not given or urlsplit(given).path.strip("/"):
        return given
    return f"{given.rstrip('/')}/receipts/aliyun/{os.environ.get('SIM_LISTENER_SECRET', '')}"
