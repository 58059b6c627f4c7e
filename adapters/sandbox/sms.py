"""The SMS gateway, 云MAS HTTP: takes a text, answers with a group, reports each mobile later.

It does not de-duplicate: the same request twice is two texts.
"""

import base64
import binascii
import hashlib
import json
import os
import random
import re
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from adapters.sandbox.app import BODY, FAULT, Options, Simulator
from adapters.sandbox.clock import machine_now, written
from adapters.sandbox.receipts import Courier, settled
from adapters.sandbox.wire import Problem, answer, canonical, sha256

MOST_MOBILES = 5000
MOST_TEXT = 1000
_FIELDS = ("ecName", "apId", "secretKey", "mobiles", "content", "sign", "addSerial", "mac")
_MISSPELT = 0.2
_UNDELIVERED = 0.02
_STATES = (("UNDELIV", "DB:0140"), ("EXPIRED", "MI:0013"), ("REJECTD", "DB:0108"))


class Gateway(Simulator):
    """The gateway: one ledger line a mobile."""

    signed = False

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._seed = str(self.world.get("seed", 0))
        self._sign = str(self.world.get("sms_sign", ""))
        self._undelivered = float(self.world.get("sms_undelivered", _UNDELIVERED))
        self._courier = Courier(_listener(options.listener), self.log)
        self._count = 0
        reported = {(line["receipt"], line["target"]) for line in self.log.lines() if _is_settled(line)}
        self._unreported = []
        for line in self.journal.lines():
            self._count += 1
            if (line["receipt"], line["target"]) not in reported:
                self._unreported.append((line["receipt"], line["target"], line["at"]))

    def routes(self) -> list[web.RouteDef]:
        """The route of sms-yunmas.yaml."""
        return [web.post("/sms/norsubmit", self._submit)]

    def target_text(self, body: bytes) -> str:
        """The JSON inside the Base64."""
        try:
            return base64.b64decode(body, validate=True).decode("utf-8", "replace")
        except binascii.Error:
            return ""

    async def begin(self) -> None:
        """Post what a stopped gateway had not posted."""
        for group, mobile, at in self._unreported:
            self._report(group, mobile, at, after=0.2)

    async def end(self) -> None:
        """Stop posting."""
        await self._courier.close()

    async def _submit(self, request: web.Request) -> web.Response:
        body = request[BODY]
        message = _message(self.target_text(body))
        code = "InvalidMessage" if message is None else self._refusal(message)
        if code or message is None:
            self.log.note(
                {
                    "at": written(self.clock.now()),
                    "outcome": "refused",
                    "code": code,
                    "body_sha256": sha256(body),
                }
            )
            return answer({"rspcod": code, "msgGroup": "", "success": False})
        mobiles = message["mobiles"].split(",")
        now = written(self.clock.now())
        self._count += 1
        group = f"{self.clock.now():%m%d%H%M%S}{self._count:012d}"
        self._count += len(mobiles) - 1
        content = {"content": message["content"]}
        line = {
            "at": now,
            "machine_at": machine_now(),
            "own_id": None,
            "business_key": None,
            "kind": "sms",
            "stage": None,
            "content_version": None,
            "content": content,
            "content_sha256": sha256(canonical(content)),
            "body_sha256": sha256(body),
            "outcome": "stored",
            "receipt": group,
        }
        try:
            await self.journal.append([canonical(line | {"target": mobile}) for mobile in mobiles])
        except OSError:
            raise Problem("not-processed", "存储失败，未处理") from None
        fault = request.get(FAULT)
        for mobile in mobiles:
            await self._report_by_fault(fault.do if fault else {}, group, mobile, now)
        name = "mgsGroup" if self._draw("spelling", group).random() < _MISSPELT else "msgGroup"
        return answer({"rspcod": "success", name: group, "success": True})

    def _refusal(self, message: dict[str, str]) -> str:
        """The rspcod of a refusal, or nothing."""
        values = [message[name] for name in _FIELDS[:-1]]
        mobiles = message["mobiles"].split(",")
        known = self.options.keys.get(message["apId"]) == message["secretKey"]
        checks = (
            (not known, "InvalidUsrOrPwd"),
            (hashlib.md5("".join(values).encode()).hexdigest() != message["mac"], "IllegalMac"),  # noqa: S324 - the wire's own mac
            (not message["sign"], "NoSignId"),
            (self._sign not in {"", message["sign"]}, "IllegalSignId"),
            (not re.fullmatch(r"\d{0,20}", message["addSerial"], re.ASCII), "InvalidMessage"),
            (not 0 < len(message["content"]) <= MOST_TEXT, "InvalidMessage"),
            (len(mobiles) > MOST_MOBILES, "TooManyMobiles"),
            (not all(re.fullmatch(r"1\d{10}", mobile, re.ASCII) for mobile in mobiles), "InvalidMobile"),
            (len(set(mobiles)) != len(mobiles), "DupMobile"),
        )
        return next((code for broken, code in checks if broken), "")

    async def _report_by_fault(self, do: dict[str, Any], group: str, mobile: str, at: str) -> None:
        kind = do.get("kind", "")
        if kind == "no_receipt":
            settled(self.log, {"msgGroup": group, "mobile": mobile}, "receipt_withheld")
            return
        if kind == "unknown_receipt":
            stranger = self._state(f"9{group[1:]}", mobile, at)
            self._courier.send(lambda: stranger, after=0.05, note=False)
        if kind == "early_receipt":
            report = self._state(group, mobile, at)
            if await self._courier.post(report):
                settled(self.log, report, "receipt_taken")
                return
        if kind == "double_receipt":
            self._report(group, mobile, at, after=0.05, note=False)
        delay = self._draw("delay", group, mobile).uniform(0.05, 0.2)
        self._report(
            group, mobile, at, after=float(do.get("seconds", 5)) if kind == "late_receipt" else delay
        )

    def _report(self, group: str, mobile: str, at: str, *, after: float, note: bool = True) -> None:
        self._courier.send(lambda: self._state(group, mobile, at), after=after, note=note)

    def _state(self, group: str, mobile: str, at: str) -> dict[str, Any]:
        draw = self._draw("state", group, mobile)
        status, code = draw.choice(_STATES) if draw.random() < self._undelivered else ("DELIVRD", "0")
        return {
            "reportStatus": status,
            "mobile": mobile,
            "submitDate": re.sub(r"\D", "", at[:19]),
            "receiveDate": f"{self.clock.now():%Y%m%d%H%M%S}",
            "errorCode": code,
            "msgGroup": group,
        }

    def _draw(self, *what: str) -> random.Random:
        return random.Random(f"{self._seed}|{what}")


def _message(text: str) -> dict[str, str] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not all(isinstance(value.get(name), str) for name in _FIELDS):
        return None
    try:
        canonical(value)
    except ValueError:
        return None
    return value


def _is_settled(line: dict[str, Any]) -> bool:
    return str(line.get("outcome", "")).startswith("receipt_")


def _listener(given: str) -> str:
    """The address to post to; a bare one gets the contract's path with the secret of the environment."""
    if not given or urlsplit(given).path.strip("/"):
        return given
    return f"{given.rstrip('/')}/receipts/yunmas/{os.environ.get('SIM_LISTENER_SECRET', '')}"
