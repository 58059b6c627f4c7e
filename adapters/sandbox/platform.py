"""The city platform: case and feedback feeds, pushes, recalls, returns, counts."""

import json
from datetime import date
from typing import Any

from aiohttp import web

from adapters.sandbox.answers import Answers
from adapters.sandbox.app import BODY, Options, Simulator, read_json
from adapters.sandbox.clock import moment, written
from adapters.sandbox.feed import Feed, limit_of, restore
from adapters.sandbox.memory import Incoming, Memory, Stored, receipt_number
from adapters.sandbox.platform_shapes import push_errors, recall_errors, return_errors
from adapters.sandbox.shapes import Error, error
from adapters.sandbox.shapes import day as day_in
from adapters.sandbox.wire import Problem, answer, sha256

_PREFIXES = {"push": "TS", "recall": "CH", "return": "HL"}


class Platform(Simulator):
    """The receiver of pushes, recalls and returns; the giver of cases and feedback."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        seed = str(self.world.get("seed", 0))
        disorder = float(self.world.get("disorder", 1))
        ends = moment(self.world["ends"]).timestamp() if self.world.get("ends") else None
        self.cases = Feed("cases", journal=self.feed_file, clock=self.clock, seed=seed, disorder=disorder)
        self.feedback = Feed(
            "feedback", journal=self.feed_file, clock=self.clock, seed=seed, disorder=disorder
        )
        restore(self.feed_file.lines(), {"cases": self.cases, "feedback": self.feedback})
        self.cases.load(options.world / "feed_cases.jsonl", ends=ends)
        self.feedback.load(options.world / "feed_feedback.jsonl", ends=ends)
        self.answers = Answers(options.world / "answers.jsonl", self.feedback)
        self.memory = Memory(self.journal, self.log, self.clock)
        self._liaisons = _accounts(read_json(options.world / "liaisons.json", []))
        for entry in self.memory.by_own_id.values():
            if entry.kind == "push":
                self.answers.pushed(entry)

    async def lose(self, own_ids: frozenset[str]) -> int:
        """See ``Simulator.lose``."""
        return await self.memory.lose(own_ids)

    def routes(self) -> list[web.RouteDef]:
        """The routes of platform.v1.yaml."""
        return [
            web.get("/v1/cases/changes", self._case_changes, allow_head=False),
            web.get("/v1/feedback/changes", self._feedback_changes, allow_head=False),
            web.post("/v1/pushes", self._push),
            web.get("/v1/pushes/{own_id}", self._look_up("push"), allow_head=False),
            web.post("/v1/recalls", self._recall),
            web.get("/v1/recalls/{own_id}", self._look_up("recall"), allow_head=False),
            web.post("/v1/returns", self._return),
            web.get("/v1/returns/{own_id}", self._look_up("return"), allow_head=False),
            web.get("/v1/counts", self._counts, allow_head=False),
            web.get("/v1/effects", self._effects, allow_head=False),
        ]

    def controls(self) -> list[web.RouteDef]:
        """See Simulator."""
        return [web.post("/_sim/publish", self._publish_now)]

    async def _case_changes(self, request: web.Request) -> web.Response:
        return await _page(self.cases, request)

    async def _feedback_changes(self, request: web.Request) -> web.Response:
        return await _page(self.feedback, request)

    async def _publish_now(self, request: web.Request) -> web.Response:
        """A control route: `{"feed": "cases"|"feedback", "records": […]}` is in the feed when it answers."""
        value = await request.json()
        feeds = {"cases": self.cases, "feedback": self.feedback}
        if not isinstance(value, dict) or value.get("feed") not in feeds or not value.get("records"):
            raise Problem("malformed", "应有 feed 与 records")
        return answer({"published": await feeds[value["feed"]].publish(value["records"])})

    async def _push(self, request: web.Request) -> web.Response:
        body = self.object_in(request)
        incoming = self._incoming(request, body, "push", [] if self._trusts(body) else push_errors(body))
        response, stored = await self._receive(incoming)
        if stored is not None:
            self.answers.pushed(stored)
        return response

    async def _recall(self, request: web.Request) -> web.Response:
        body = self.object_in(request)
        found = recall_errors(body)
        if not found:
            found = [
                error(f"content.withdraws[{i}]", "unknown-push", "没有收到过这次推送")
                for i, own_id in enumerate(body["content"]["withdraws"])
                if not self._holds_push(own_id, body)
            ]
        response, _ = await self._receive(self._incoming(request, body, "recall", found))
        return response

    async def _return(self, request: web.Request) -> web.Response:
        body = self.object_in(request)
        response, _ = await self._receive(self._incoming(request, body, "return", return_errors(body)))
        return response

    def _trusts(self, body: dict[str, Any]) -> bool:
        needed = ("own_id", "business_key", "stage", "case_no", "target", "content", "content_sha256")
        return self.options.light and all(name in body for name in needed)

    def _holds_push(self, own_id: str, recall: dict[str, Any]) -> bool:
        push = self.memory.by_own_id.get(own_id)
        if push is None or push.kind != "push" or push.target != recall["target"]["department"]:
            return False
        return bool(push.extra["case_no"] == recall["case_no"])

    def _incoming(
        self, request: web.Request, body: dict[str, Any], kind: str, found: list[Error]
    ) -> Incoming:
        """The effect in the body.

        Raises:
            Problem: rule-broken, with everything that was found; also noted in the log.
        """
        target = body.get("target") if isinstance(body.get("target"), dict) else {}
        assert isinstance(target, dict)
        extra = {"case_no": body.get("case_no")}
        if kind == "return":
            extra["return_kind"] = body.get("kind")
        else:
            extra |= {"section": target.get("section"), "supervision_item": target.get("supervision_item")}
        incoming = Incoming(
            own_id=_word(body.get("own_id")),
            business_key=_word(body.get("business_key")),
            target=_word(body.get("department") if kind == "return" else target.get("department")),
            kind=kind,
            stage=body.get("stage"),
            content_version=body.get("content_version", 1),
            content_sha256=_word(body.get("content_sha256")),
            content=body.get("content"),
            body_sha256=sha256(request[BODY]),
            extra=extra,
        )
        if request.headers.get("Idempotency-Key") != body.get("own_id"):
            found = [*found, error("Idempotency-Key", "idempotency-key", "应等于 own_id")]
        if found:
            self.memory.note(incoming, "refused", errors=[(e["field"], e["rule"]) for e in found])
            raise Problem("rule-broken", "报文违反接口规则", errors=found[:100])
        return incoming

    async def _receive(self, incoming: Incoming) -> tuple[web.Response, Stored | None]:
        held = self.memory.held(incoming.own_id, incoming.business_key, incoming.content_version)
        if held is None:
            receipt = {
                "number": receipt_number(_PREFIXES[incoming.kind], incoming.own_id),
                "at": written(self.clock.now()),
                "account": self._account(incoming),
            }
            stored, durable = self.memory.hold(incoming, receipt)
            await durable
            return _receipt(stored, status=201), stored
        same = (held.kind, held.business_key, held.content_version, held.content_sha256, held.extra)
        if same != (
            incoming.kind,
            incoming.business_key,
            incoming.content_version,
            incoming.content_sha256,
            incoming.extra,
        ):
            self.memory.note(incoming, "conflict")
            raise Problem(
                "content-conflict", "已存有不同内容", stored_sha256=held.content_sha256, own_id=held.own_id
            )
        self.memory.note(incoming, "repeat")
        await self.memory.repeat(held)
        return _receipt(held, status=200), None

    def _account(self, incoming: Incoming) -> str:
        today = self.clock.today()
        section = incoming.extra.get("section")
        for where in ((incoming.target, section), (incoming.target, None)):
            for account, begins, ends in self._liaisons.get(where, ()):
                if begins <= today <= ends:
                    return account
        return f"{incoming.target}-收件"

    def _look_up(self, kind: str) -> Any:
        async def found(request: web.Request) -> web.Response:
            held = self.memory.by_own_id.get(request.match_info["own_id"])
            if held is None or held.kind != kind:
                raise Problem("not-found", "没有收到过")
            await self.memory.repeat(held)
            return answer(
                {
                    "own_id": held.own_id,
                    "business_key": held.business_key,
                    "content_sha256": held.content_sha256,
                    "receipt": held.receipt,
                }
            )

        return found

    async def _counts(self, request: web.Request) -> web.Response:
        day = asked_day(request)
        return answer({"day": day, "rows": self.memory.counts(day, ("kind", "target", "stage"))})

    async def _effects(self, request: web.Request) -> web.Response:
        day = asked_day(request)
        start = offset(request.query.get("cursor", ""))
        limit = limit_of(request.query.get("limit", ""))
        rows = [
            {"own_id": e.own_id, "kind": e.kind, "department": e.target, "stage": e.stage,
             "business_key": e.business_key, "content_sha256": e.content_sha256}
            for e in self.memory.on(day)
            if request.query.get("department") in {None, "", e.target}
            and request.query.get("kind") in {None, "", e.kind}
        ]  # fmt: skip
        end = min(start + limit, len(rows))
        return answer({"items": rows[start:end], "next_cursor": f"e{end}", "has_more": len(rows) > end})


async def _page(feed: Feed, request: web.Request) -> web.Response:
    limit = limit_of(request.query.get("limit", ""))
    body = await feed.page(request.query.get("cursor", ""), limit)
    return web.Response(body=body, content_type="application/json")


def asked_day(request: web.Request) -> str:
    """The `day` in the query.

    Raises:
        Problem: rule-broken, when it is no date.
    """
    day = request.query.get("day", "")
    if day_in(day) is None:
        raise Problem("rule-broken", "缺少日期", errors=[error("day", "format", "应为 YYYY-MM-DD")])
    return day


def offset(cursor: str) -> int:
    """The place in a day's list that a cursor of ours names.

    Raises:
        Problem: malformed, when it is none of ours.
    """
    if not cursor:
        return 0
    if not (cursor[0] == "e" and cursor[1:].isascii() and cursor[1:].isdigit()):
        raise Problem("malformed", "游标不是本接口给出的")
    return int(cursor[1:])


def _receipt(stored: Stored, *, status: int) -> web.Response:
    told = {"own_id": stored.own_id, "receipt": stored.receipt, "content_sha256": stored.content_sha256}
    return answer(told, status=status)


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)[:200]


def _accounts(liaisons: list[dict[str, Any]]) -> dict[tuple[str, str | None], list[tuple[str, date, date]]]:
    """Accounts by department and section, and by department alone; the main liaison first."""
    found: dict[tuple[str, str | None], list[tuple[str, date, date]]] = {}
    for row in sorted(liaisons, key=lambda row: int(row.get("rank") or 1)):
        begins = day_in(str(row.get("valid_from") or "")[:10]) or date.min
        ends = day_in(str(row.get("valid_to") or "")[:10]) or date.max
        for where in ((row["department"], row.get("section")), (row["department"], None)):
            found.setdefault(where, []).append((str(row["id"]), begins, ends))
    return found
