"""The credit system: party queries, reports in batches, its records feed, counts."""

import asyncio
import hashlib
import random
from typing import Any

from aiohttp import web

from adapters.sandbox.app import BODY, FAULT, Options, Simulator
from adapters.sandbox.arrivals import Arrivals
from adapters.sandbox.clock import moment, written
from adapters.sandbox.faults import Fault
from adapters.sandbox.feed import Feed, limit_of, restore
from adapters.sandbox.memory import Incoming, Memory, Stored, receipt_number
from adapters.sandbox.parties import Parties
from adapters.sandbox.platform import asked_day, offset
from adapters.sandbox.shapes import Anything, Error, Record, Rows, Text, Whole, error, faults_in, one_of
from adapters.sandbox.shuanggongshi import NATURAL, record_errors, subject_of
from adapters.sandbox.wire import Problem, answer, canonical, sha256
from adapters.sandbox.workdays import Workdays

BATCH = 100
_PARTY = Record(
    {"ref": Text(64), "name": Text(200), "id_type": Text(64), "id_number": Text(64)},
    frozenset({"ref", "name", "id_type", "id_number"}),
)
QUERY = Record(
    {"purpose": one_of("acceptance"), "legal_basis": Text(500), "parties": Rows(_PARTY, BATCH, 1)},
    frozenset({"purpose", "legal_basis", "parties"}),
)
_REPORT = Record(
    {
        "own_id": Text(128, form="own_id"),
        "business_key": Text(256),
        "kind": one_of("XK", "CF"),
        "content_version": Whole(),
        "record": Anything(),
        "content_sha256": Text(64, form="sha256"),
    },
    frozenset({"own_id", "business_key", "kind", "content_version", "record", "content_sha256"}),
)
ARRIVALS = Record(
    {
        "documents": Rows(
            Record(
                {"ref": Text(64), "kind": one_of("XK", "CF"), "document_number": Text(200)},
                frozenset({"ref", "kind", "document_number"}),
            ),
            BATCH,
            1,
        )
    },
    frozenset({"documents"}),
)
REPORTS = Record({"reports": Rows(_REPORT, BATCH, 1)}, frozenset({"reports"}))


class Credit(Simulator):
    """The receiver of 双公示 reports and the source of credit records."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        seed = str(self.world.get("seed", 0))
        ends = moment(self.world["ends"]).timestamp() if self.world.get("ends") else None
        self.records = Feed(
            "records",
            journal=self.feed_file,
            clock=self.clock,
            seed=seed,
            disorder=float(self.world.get("disorder", 1)),
        )
        restore(self.feed_file.lines(), {"records": self.records})
        self.records.load(options.world / "credit_records.jsonl", ends=ends)
        self.parties = Parties(options.world / "credit_parties.jsonl", self.records, seed=seed)
        self.memory = Memory(self.journal, self.log, self.clock)
        self.workdays = Workdays(off=self.world.get("holidays", ()), on=self.world.get("workdays", ()))
        self._numbers: dict[tuple[str, str], str] = {}
        self._arrivals = Arrivals(options.world / "credit_arrivals.jsonl")
        self._draw = random.Random(seed)
        for entry in self.memory.by_own_id.values():
            self._remember(entry)

    async def lose(self, own_ids: frozenset[str]) -> int:
        """See ``Simulator.lose``."""
        return await self.memory.lose(own_ids)

    def routes(self) -> list[web.RouteDef]:
        """The routes of credit.v1.yaml."""
        return [
            web.post("/v1/parties/query", self._query),
            web.post("/v1/arrivals/query", self._arrived),
            web.get("/v1/reports", self._listed, allow_head=False),
            web.post("/v1/reports", self._reports),
            web.get("/v1/reports/{own_id}", self._look_up, allow_head=False),
            web.get("/v1/records/changes", self._changes, allow_head=False),
            web.get("/v1/counts", self._counts, allow_head=False),
        ]

    async def _query(self, request: web.Request) -> web.Response:
        body = self.object_in(request)
        found = faults_in(body, QUERY)
        if found:
            raise Problem("rule-broken", "查询不合规则", errors=found[:100])
        now = self.clock.now()
        results = []
        for party in body["parties"]:
            grade, records = self.parties.asked(party["id_number"], now.timestamp())
            mark = hashlib.sha256(f"{party['id_number']}|{now.isoformat()}".encode()).hexdigest()
            results.append(
                {
                    "ref": party["ref"],
                    "number": f"CX{now:%Y%m%d%H%M%S}{int(mark[:8], 16):010d}",
                    "checked_at": written(now),
                    "grade": grade,
                    "records": records,
                }
            )
        return answer({"results": results})

    async def _reports(self, request: web.Request) -> web.Response:
        body = self.object_in(request)
        found = faults_in(body, REPORTS)
        if not found:
            own_ids = [report["own_id"] for report in body["reports"]]
            if request.headers.get("Idempotency-Key") != sha256("\n".join(own_ids).encode()):
                found = [error("Idempotency-Key", "idempotency-key", "应为各 own_id 以换行相连后的 SHA-256")]
        if found:
            raise Problem("rule-broken", "报送批次不合规则", errors=found[:100])
        body_sha256 = sha256(request[BODY])
        results = []
        waits = []
        fault = request.get(FAULT)
        for report in body["reports"]:
            result, entry = self._one(report, body_sha256, fault)
            results.append(result)
            if entry is not None:
                waits.append(entry)
        await asyncio.gather(*waits)
        self._draw.shuffle(results)
        return answer({"results": results})

    def _one(
        self, report: dict[str, Any], body_sha256: str, fault: Fault | None
    ) -> tuple[dict[str, Any], Any]:
        """The result of one report, and what to wait for before it may be told."""
        kind, record, own_id = report["kind"], report["record"], report["own_id"]
        incoming = Incoming(
            own_id=own_id,
            business_key=report["business_key"],
            target="credit",
            kind=kind,
            stage=None,
            content_version=report["content_version"],
            content_sha256=report["content_sha256"],
            content=record,
            body_sha256=body_sha256,
            extra=_about(kind, record),
        )
        held = self.memory.held(own_id, incoming.business_key, incoming.content_version)
        if held is None and fault is not None and fault.kind == "theirs":
            self.memory.note(incoming, "conflict")
            return _result(own_id, "duplicate", None) | {"stored_sha256": sha256(own_id.encode())}, None
        if held is not None:
            same = held.content_sha256 == incoming.content_sha256
            self.memory.note(incoming, "repeat" if same else "conflict")
            return _result(own_id, "duplicate", held), self.memory.repeat(held)
        found = self._errors(report)
        if found:
            self.memory.note(incoming, "refused", errors=[(e["field"], e["rule"]) for e in found])
            return _result(own_id, "refused", None, found), None
        receipt = {"number": receipt_number("XY", own_id), "at": written(self.clock.now())}
        entry, durable = self.memory.hold(incoming, receipt)
        self._remember(entry)
        return _result(own_id, "accepted", entry), durable

    def _errors(self, report: dict[str, Any]) -> list[Error]:  # noqa: PLR0911 - one line a rule
        kind, record = report["kind"], report["record"]
        if report["content_sha256"] != sha256(canonical(record)):
            return [error("content_sha256", "content-hash", "与 record 的规范化散列不一致")]
        if self.options.light:
            return []
        found = record_errors(kind, record, today=self.clock.today(), workdays=self.workdays)
        if found:
            return found
        number, subject = record[f"{kind}_WSH"], subject_of(kind, record)
        if not report["business_key"].startswith(f"{kind}|{number}|"):
            return [error("business_key", "business-key", "与报文内容不一致")]
        if self.parties.is_unknown(subject):
            return [error(f"{kind}_XDR_MC", "unknown-subject", "主体库中查无此主体")]
        if self._numbers.get((kind, number), subject) != subject:
            return [error(f"{kind}_WSH", "duplicate-number", "该文书号已属于另一主体")]
        return []

    async def _arrived(self, request: web.Request) -> web.Response:
        body = self.object_in(request)
        found = faults_in(body, ARRIVALS)
        if found:
            raise Problem("rule-broken", "查询不合规则", errors=found[:100])
        now = self.clock.now()
        results = []
        for asked in body["documents"]:
            at = self._arrivals.asked(asked["kind"], asked["document_number"], now)
            results.append({"ref": asked["ref"], "arrived_at": at})
        self._draw.shuffle(results)
        return answer({"results": results})

    async def _listed(self, request: web.Request) -> web.Response:
        day, kind = asked_day(request), request.query.get("kind", "")
        start, limit = offset(request.query.get("cursor", "")), limit_of(request.query.get("limit", ""))
        rows = [
            {"own_id": e.own_id, "kind": e.kind, "business_key": e.business_key,
             "content_sha256": e.content_sha256}
            for e in self.memory.on(day)
            if kind in {"", e.kind}
        ]  # fmt: skip
        end = min(start + limit, len(rows))
        return answer({"items": rows[start:end], "next_cursor": f"e{end}", "has_more": len(rows) > end})

    def _remember(self, entry: Stored) -> None:
        self._numbers[entry.kind, entry.extra["document_number"]] = entry.extra["subject"]
        self._arrivals.arrived(entry.kind, entry.extra["document_number"], entry.at)
        self.parties.reported(entry)

    async def _look_up(self, request: web.Request) -> web.Response:
        held = self.memory.by_own_id.get(request.match_info["own_id"])
        if held is None:
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

    async def _changes(self, request: web.Request) -> web.Response:
        limit = limit_of(request.query.get("limit", ""))
        body = await self.records.page(request.query.get("cursor", ""), limit)
        return web.Response(body=body, content_type="application/json")

    async def _counts(self, request: web.Request) -> web.Response:
        day = asked_day(request)
        return answer({"day": day, "rows": self.memory.counts(day, ("kind",))})


def _about(kind: str, record: dict[str, Any]) -> dict[str, Any]:
    natural = record.get(f"{kind}_XDR_LB") == NATURAL
    about = {
        "document_number": record.get(f"{kind}_WSH"),
        "subject": subject_of(kind, record),
    }
    if kind == "CF":
        about["penalty_kinds"] = record.get("CF_CFLB")
        about["party"] = {
            "name": record.get("CF_XDR_MC"),
            "id_type": (record.get("CF_XDR_ZJLX") or "身份证") if natural else "统一社会信用代码",
            "id_number": about["subject"],
        }
    return about


def _result(own_id: str, code: str, held: Stored | None, found: list[Error] | None = None) -> dict[str, Any]:
    return {
        "own_id": own_id,
        "code": code,
        "receipt": held.receipt if held else None,
        "stored_sha256": held.content_sha256 if held else None,
        "errors": found or [],
    }
