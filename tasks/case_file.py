"""One case understood in seconds: what `shenguan case show` tells. It holds nothing of the party."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from config.city import CatalogItem, City
from models.domain.errors import ShenguanError
from models.domain.messages import (
    CHANNELS,
    EFFECT_KINDS,
    FEEDBACK_KINDS,
    GRADES,
    INBOX_OUTCOMES,
    MODES,
    ROLES,
    STAGES,
    SYSTEMS,
    state_name,
)
from models.domain.reasons import answer_name, reason_name
from models.ledger.connection import Ledger
from models.ledger.queries import case_file, clock, credit
from tasks.admission.pinning import pinned_items
from tasks.case_told import (
    CaseTold,
    CheckTold,
    EffectTold,
    FeedbackTold,
    HandoverTold,
    LicenceTold,
    TextTold,
)
from tasks.in_front import approval_owner
from tasks.mirror.timeline import timeline
from tasks.waits import Wait, why_case, why_handover

_RECEIPTS: Mapping[str, str] = {"DELIVRD": "已送达"}


class CaseNotAdmitted(ShenguanError):  # noqa: N818 - named as the finding it is
    """No case of this number is in the ledger; ``records`` say in Chinese what became of what came."""

    def __init__(self, case_no: str, records: tuple[str, ...] = ()) -> None:
        super().__init__(case_no, records)
        self.case_no = case_no
        self.records = records

    def __str__(self) -> str:
        if not self.records:
            return f"台账中没有编号为 {self.case_no} 的办件，也没有收到过它的记录"
        return f"编号 {self.case_no} 尚未成为办件：\n" + "\n".join(self.records)


async def read_case(ledger: Ledger, city: City, case_no: str) -> CaseTold:
    """The file of the case of this number, read at one moment.

    Raises:
        CaseNotAdmitted: it is no case; with what became of the records that came under the number.
    """
    async with ledger.reading(snapshot=True) as conn:
        head = await case_file.header(conn, case_no)
        if head is None:
            raise CaseNotAdmitted(case_no, _fates(await case_file.records(conn, case_no)))
        identity: UUID = head["id"]
        now = await clock.business_now(conn)
        pinned = await pinned_items(conn, city, [(head["item_version"], head["item_code"])])
        handovers = await case_file.handovers(conn, identity)
        effects = await case_file.effects(conn, identity)
        texts = await case_file.texts(conn, identity)
        checks = await credit.checks_of(conn, identity)
        feedback = await case_file.feedback(conn, identity)
        history = await case_file.history(conn, identity)
    item = pinned[head["item_version"], head["item_code"]]
    told = tuple(_handover(row, item, city, head, effects) for row in handovers)
    region = city.region(head["region"])
    return CaseTold(
        case_no=case_no,
        data_version=head["data_version"],
        item_code=head["item_code"],
        item_name=head["item_name"],
        item_version=head["item_version"],
        department=head["department_name"] or head["approval_department"],
        region=region.name if region else head["region"],
        mode=head["mode"],
        mode_name=MODES.get(head["mode"], head["mode"]),
        state=head["state"],
        state_name=state_name("case", head["state"]),
        result=head["result"],
        result_name=state_name("result", head["result"]) if head["result"] else "",
        accepted_at=head["accepted_at"],
        completed_at=head["completed_at"],
        observe_until=head["observe_until"],
        business_now=now,
        waits=why_case(head, handovers, effects, texts, now),
        handovers=told,
        effects=tuple(_effect(row, city) for row in effects),
        texts=tuple(_text(row) for row in texts),
        credit_check=_check(checks[0]) if checks else None,
        feedback=tuple(_feedback(row) for row in feedback),
        licence=_licence(head),
        timeline=timeline(history, handovers, effects),
    )


def _fates(rows: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    told = []
    for row in rows:
        line = f"第 {row['record_version'] or '?'} 版：{INBOX_OUTCOMES.get(row['outcome'], row['outcome'])}"
        why = row["message"] or reason_name(row["reason"])
        line += f"（{why}）" if why else ""
        told.append(line + (f"，负责 {row['owner']}" if row["owner"] else ""))
    return tuple(told)


def _handover(
    row: dict[str, Any],
    item: CatalogItem,
    city: City,
    head: dict[str, Any],
    effects: Sequence[dict[str, Any]],
) -> HandoverTold:
    code = row["supervision_item"]
    place = (code, row["section_key"])
    duty = next((each for each in item.duties if (each.supervision_item, each.section) == place), None)
    wait: Wait = why_handover(row, head, effects, approval_owner(city, item))
    return HandoverTold(
        supervision_item=code,
        supervision_name=duty.name if duty else code,
        role=ROLES.get(row["role"], row["role"]),
        department=row["department_name"] or row["department_code"] or "（待分派）",
        section=row["section_name"] or "",
        state=row["state"],
        state_name=state_name("handover", row["state"]),
        reason=reason_name(row["reason"]),
        claimed_at=row["claimed_at"],
        read_at=row["read_at"],
        owner=owner.name if (owner := city.department(wait.owner)) else wait.owner,
        waits=wait.why,
        due=wait.due,
    )


def _effect(row: dict[str, Any], city: City) -> EffectTold:
    owner = city.department(row["owner"] or "")
    target = row["department_name"] or SYSTEMS.get(row["target"], row["target"])
    return EffectTold(
        own_id=row["own_id"],
        channel=row["channel"],
        channel_name=CHANNELS.get(row["channel"], row["channel"]),
        stage=EFFECT_KINDS.get(row["stage"], row["stage"] or ""),
        target=target,
        content_version=row["content_version"],
        state=row["state"],
        state_name=state_name("effect", row["state"]),
        reason=reason_name(row["reason"]),
        receipt=row["receipt_number"],
        receipt_at=row["receipt_at"],
        receipt_account=row["receipt_account"],
        attempts=row["attempts"],
        last_answer=answer_name(row["answer"]),
        next_try=row["not_before"] if row["state"] in {"planned", "unknown"} else None,
        owner=owner.name if owner else row["owner"],
        due_at=row["due_at"],
        decided_by=row["decided_by"],
    )


def _text(row: dict[str, Any]) -> TextTold:
    waits = {"waiting": "待发短信", "no_phone": reason_name("no_phone")}
    return TextTold(
        stage=STAGES.get(row["stage"], row["stage"]),
        department=row["department_name"] or "",
        section=row["section_name"] or "",
        liaison=row["liaison"],
        reference=row["reference"],
        state=waits.get(row["news_state"]) or state_name("effect", row["state"] or ""),
        news_in_text=row["news_count"],
        receipt=_RECEIPTS.get(row["report_status"], row["report_status"] or ""),
        at=row["answered_business"] or row["business_at"],
        owner=row["owner"],
        due_at=row["due_at"],
    )


def _check(row: dict[str, Any]) -> CheckTold:
    return CheckTold(
        "政务服务平台" if row["source"] == "platform" else "本系统",
        row["number"],
        row["checked_at"],
        row["grade"],
        GRADES.get(row["grade"], row["grade"]),
        row["advice"],
        row["basis"],
        row["records"],
    )


def _feedback(row: dict[str, Any]) -> FeedbackTold:
    return FeedbackTold(
        row["feedback_no"],
        FEEDBACK_KINDS.get(row["kind"], row["kind"]),
        row["department_name"],
        row["happened_on"],
        row["result"],
        row["abnormal"],
        row["withdrawn"],
        row["rectification_due"],
    )


def _licence(head: dict[str, Any]) -> LicenceTold | None:
    if head["licence_number"] is None:
        return None
    return LicenceTold(
        head["licence_number"],
        head["licence_state"],
        state_name("licence", head["licence_state"]),
        head["licence_from"],
        head["licence_to"],
    )
