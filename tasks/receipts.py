"""Receipts of texts: kept as they came, then matched to their text by group and mobile.

A receipt may come before the answer that names its group, twice, never, or for a text that is not
ours. One that names no text of ours proves nothing, not even for a text of unknown outcome to the
same phone: it is kept, and changes nothing.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from adapters.listener.aliyun import read_report
from adapters.listener.yunmas import read_receipt
from adapters.values import InboundReceipt, RawItem
from models.domain.errors import BrokenRecord
from models.domain.workdays import Calendar
from models.ledger.connection import Ledger
from models.ledger.queries import clock, inbox, texts
from models.ledger.sealing import Sealing
from models.ledger.writer import HistoryRow, write_history
from tasks.in_front import in_front_of_a_person
from tasks.intake import Arrival, Feed, keep
from tasks.turns import read_waiting

log = structlog.get_logger(__name__)

RECEIPTS = Feed("yunmas", "receipts", "sms_receipt", "msgGroup", "")
ALIYUN_RECEIPTS = Feed("aliyun", "receipts", "sms_receipt", "biz_id", "")
GATEWAY = "短信网关"
PATIENCE = timedelta(minutes=10)
"""How long a receipt waits for the answer that names its group (machine time)."""


async def keep_receipt(ledger: Ledger, sealing: Sealing, raw: bytes, receipt: InboundReceipt | None) -> None:
    """Keep a receipt as it came; the listener answers the gateway only after this."""
    feed = ALIYUN_RECEIPTS if receipt is not None and receipt.gateway == "aliyun" else RECEIPTS
    value = {feed.key_field: receipt.msg_group} if receipt else None
    await keep(ledger, sealing, feed, [Arrival(RawItem(raw, value))])


async def match_receipts(ledger: Ledger, sealing: Sealing, calendar: Calendar, *, limit: int = 1000) -> int:
    """Write what the receipts say at their texts; how many receipts came to an outcome."""
    async with ledger.writing() as conn:
        now = await clock.business_now(conn)
        read, problems = await read_waiting(conn, sealing, "sms_receipt", _parse, limit)
        if not read and not problems:
            return 0
        matched, late = await texts.report(
            conn,
            [
                texts.Reported(
                    each.row["id"],
                    each.row["position"],
                    each.record.msg_group,
                    sealing.index("phone", each.record.mobile),
                    each.record.status,
                    each.record.reference,
                )
                for each in read
            ],
        )
        write_history(conn, [_late_proof(row, now) for row in late])
        too_late = datetime.now(UTC) - PATIENCE
        outcomes = [
            (
                each.row["id"],
                *(("admitted", None) if each.row["id"] in matched else ("stale", "unknown_text")),
            )
            for each in read
            if each.row["id"] in matched or each.row["received_at"] < too_late
        ]
        outcomes += await in_front_of_a_person(conn, calendar, problems, business_now=now)
        await inbox.close(conn, outcomes)
    return len(outcomes)


def _late_proof(row: dict[str, Any], now: datetime) -> HistoryRow:
    state = row["to_state"]
    return HistoryRow(
        "effect", row["own_id"], row["case_id"], row["from_state"], state, state, "late_proof", GATEWAY, now
    )


def _parse(raw: bytes, key: str) -> InboundReceipt:
    receipt = read_receipt(raw) or read_report(raw)
    if receipt is None:
        raise BrokenRecord(key, "malformed-receipt", "短信状态报告的格式不符合约定")
    return receipt
