"""Asking a gateway what became of a text whose outcome is unknown, where it can be asked.

What it tells is proof. That it tells nothing is none: the request may still be on its way, so nothing is sent
on it, and the text waits for its receipt or is held.
"""

import json
from collections.abc import Mapping
from typing import Any

import structlog

from adapters.sms.port import SmsGateway
from models.domain.errors import NotDone, OutcomeUnknown
from models.domain.lifecycles.effect import EffectState
from models.domain.workdays import business_day
from models.ledger.connection import Ledger
from models.ledger.queries import clock, texts
from models.ledger.sealing import SealBroken, Sealing
from models.ledger.writer import HistoryRow, write_history
from tasks.planning import BODY_FIELD

log = structlog.get_logger(__name__)

AT_ONCE = 20
AGAIN_AFTER_S = 30.0
ACTOR = "短信网关"
_STATES = {"": EffectState.ACCEPTED, "DELIVRD": EffectState.DELIVERED}


async def look_up_texts(ledger: Ledger, sealing: Sealing, gateways: Mapping[str, SmsGateway]) -> int:
    """Settle what a gateway can tell of; how many texts. Asks after each of them now and then."""
    asked = [name for name, gateway in gateways.items() if gateway.looks_up]
    if not asked:
        return 0
    async with ledger.writing() as conn:
        rows = await texts.to_look_up(conn, asked, AT_ONCE, again_after_s=AGAIN_AFTER_S)
    found = [
        (row["own_id"], state.value)
        for row in rows
        if (state := await _fate(gateways[row["via"]], sealing, row)) is not None
    ]
    if not found:
        return 0
    async with ledger.writing() as conn:
        now = await clock.business_now(conn)
        settled = await texts.looked_up(conn, found)
        unknown = EffectState.UNKNOWN.value
        write_history(
            conn,
            [
                HistoryRow("effect", own_id, None, unknown, state, state, "looked_up", ACTOR, now)
                for own_id, state in found
                if own_id in settled
            ],
        )
    log.info("texts.looked_up", texts=len(settled))
    return len(settled)


async def _fate(gateway: SmsGateway, sealing: Sealing, row: dict[str, Any]) -> EffectState | None:
    try:
        body = sealing.open_sealed(BODY_FIELD, row["own_id"], row["body_sealed"])
    except SealBroken:
        # Whom it went to is not known; it is held for a person when its time is over.
        log.error("look_up.seal_broken", own_id=row["own_id"])  # noqa: TRY400 - no trace shows what was sealed
        return None
    mobile = json.loads(body)["mobile"]
    day = f"{business_day(row['answered_business']):%Y%m%d}"
    try:
        fate = await gateway.find(mobile, day, row["reference"])
    except (NotDone, OutcomeUnknown) as away:
        log.warning("look_up.away", reason=away.reason)
        return None
    return None if fate is None else _STATES.get(fate.status, EffectState.UNDELIVERED)
