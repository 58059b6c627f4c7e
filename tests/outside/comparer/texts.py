"""Texts: each accepted push of a live item is news for its section's liaison, once, and names no party."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from comparer.absences import may_wait
from comparer.cases import Case
from comparer.city import City, Liaison
from comparer.evidence import (
    DECIDED_STATES,
    DONE_STATES,
    WAITING_STATES,
    Served,
    Statement,
    Stored,
    content_hash,
    instant,
    lines,
    owned,
)
from comparer.findings import Findings
from comparer.pushes import parse_key, section_of

SHORTEST, SHORT = 2, 3
CODE = 8
"""Letters and digits of the code that every text ends with; they are drawn, and may spell a name."""


@dataclass(frozen=True)
class Text:
    """One text the gateway holds for one phone."""

    order: int
    at: datetime | None
    phone: str
    text: str
    receipt: str

    @property
    def hashes(self) -> frozenset[str]:
        """The ways our statement may name this text by hash."""
        plain = hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()
        return frozenset({plain, content_hash({"content": self.text})})


def read_texts(path: Path) -> list[Text]:
    """Every stored text, one for each phone; machine time, for telling before from after."""
    texts: list[Text] = []
    for order, line in enumerate(lines(path)):
        if line.get("outcome") != "stored":
            continue
        content = line.get("content")
        text = content.get("content") if isinstance(content, dict) else content
        receipt = line.get("receipt")
        number = receipt.get("number") if isinstance(receipt, dict) else receipt
        at = instant(line.get("machine_at") or line.get("at"))
        phones = str(line.get("target")).split(",")
        texts.extend(Text(order, at, phone, str(text), str(number or "")) for phone in phones)
    return texts


def compare_texts(
    texts: list[Text],
    held: list[Stored],
    *,
    said: Statement,
    city: City,
    cases: dict[str, Case],
    found: Findings,
) -> None:
    """Counts texts sent again, texts nothing owes, and news that no text covers."""
    pushes = [effect for effect in held if effect.kind == "push"]
    for times in Counter((t.phone, t.text) for t in texts).values():
        for _ in range(times - 1):
            found.add("doubled", "sms", "-", "同一条短信发给同一手机不止一次")
    effect_of = _matched(texts, said, found)
    _compare_windows(said, found)
    news_of: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for rows in said.news.values():
        for row in rows:
            if row.get("sms_own_id"):
                news_of[str(row["sms_own_id"])].append(row)
    text_of: dict[str, list[Text]] = defaultdict(list)
    for text, own_id in effect_of:
        text_of[own_id].append(text)
    _compare_phones(effect_of, news_of, city, found)
    live = {effect.own_id: effect for effect in pushes if _texts_owed(effect, cases)}
    for own_id, push in live.items():
        rows = said.news.get(own_id, [])
        told = [row for row in rows if text_of.get(str(row.get("sms_own_id")))]
        if not rows:
            found.absent("sms", push.business_key, "推送已到,没有通知联络员,也没有说明")
        if len({row["sms_own_id"] for row in told}) > len({row.get("liaison") for row in told}):
            found.add("doubled", "sms", push.business_key, "同一消息发给同一联络员两次")
        key = parse_key(push.business_key)
        mine = city.liaisons_of(key.department, section_of(key, cases)) if key else []
        for row in rows:
            theirs = text_of.get(str(row.get("sms_own_id")), [])
            sms = said.by_id.get(str(row.get("sms_own_id")), {})
            if theirs:
                _check_told(row, push, theirs, mine, found)
            else:
                _check_untold(row, push, sms, mine, now=said.business_now, found=found)
    silent = {effect.own_id for effect in pushes if not _texts_owed(effect, cases, at_all=True)}
    for own_id in {str(row.get("push_own_id")) for rows in news_of.values() for row in rows} & silent:
        covered = [row for row in said.news[own_id] if text_of.get(str(row.get("sms_own_id")))]
        if covered:
            found.add("unexpected", "sms", own_id, "试运行或静默事项不应发短信")


def _matched(texts: list[Text], said: Statement, found: Findings) -> list[tuple[Text, str]]:
    """Each text with the own id of ours it belongs to; counts strays and what we only believe sent."""
    ours = [row for row in said.effects if row.get("channel") == "sms"]
    by_receipt = {str(row.get("receipt")): str(row.get("own_id")) for row in ours if row.get("receipt")}
    by_hash: dict[str, str] = {}
    for row in ours:
        if row.get("content_sha256"):
            by_hash.setdefault(str(row["content_sha256"]), str(row.get("own_id")))
    for rows in said.news.values():
        for row in rows:
            if row.get("sms_sha256") and row.get("sms_own_id"):
                by_hash.setdefault(str(row["sms_sha256"]), str(row["sms_own_id"]))
            if row.get("receipt") and row.get("sms_own_id"):
                by_receipt.setdefault(str(row["receipt"]), str(row["sms_own_id"]))
    matched: list[tuple[Text, str]] = []
    phones: dict[str, str] = {}
    for text in texts:
        own_id = by_receipt.get(text.receipt) or next((by_hash[h] for h in text.hashes if h in by_hash), None)
        if own_id is None:
            found.add("unexpected", "sms", text.receipt or "-", "网关所存的这条短信不在我方台账中")
        else:
            if phones.setdefault(own_id, text.phone) != text.phone:
                found.add("unexpected", "sms", own_id, "同一条短信发给了不止一个手机")
            matched.append((text, own_id))
    there = {own_id for _, own_id in matched}
    for row in ours:
        if row.get("state") in DONE_STATES and str(row.get("own_id")) not in there:
            found.add("lost", "sms", str(row.get("own_id")), "我方记为已发送,网关没有")
    return matched


def _compare_windows(said: Statement, found: Findings) -> None:
    """A digest is named by liaison and window: two accepted under one name are one too many."""
    sent = Counter(
        str(row["business_key"])
        for row in said.effects
        if row.get("channel") == "sms" and row.get("state") in DONE_STATES and row.get("business_key")
    )
    for key, times in sent.items():
        for _ in range(times - 1):
            found.add("doubled", "sms", key, "同一联络员同一时段有不止一条汇总短信")


def _compare_phones(
    effect_of: list[tuple[Text, str]], news_of: dict[str, list[dict[str, Any]]], city: City, found: Findings
) -> None:
    """A text goes to a liaison's phone, and to the one its news is for."""
    phones = {one.phone for one in city.liaisons.values() if one.phone}
    for text, own_id in effect_of:
        meant = {str(row.get("liaison")) for row in news_of.get(own_id, []) if row.get("liaison")}
        theirs = {city.liaisons[one].phone for one in meant if one in city.liaisons}
        if text.phone not in phones or (theirs and text.phone not in theirs):
            found.add("unexpected", "sms", own_id, "短信发到了不该收的手机")


def _texts_owed(effect: Stored, cases: dict[str, Case], *, at_all: bool = False) -> bool:
    """True when a stored push must be told to a liaison; with ``at_all``, when it may be."""
    key = parse_key(effect.business_key)
    case = cases.get(key.case_no) if key else None
    if case is None:
        return at_all
    return case.fate == "live" or (at_all and case.fate == "mixed")


def _check_told(
    row: dict[str, Any], push: Stored, texts: list[Text], mine: list[Liaison], found: Findings
) -> None:
    """News that a text covers: for a liaison of the section, and after the push."""
    if mine and str(row.get("liaison")) not in {one.liaison_id for one in mine}:
        found.add("unexpected", "sms", push.business_key, "通知了不负责该推送的联络员")
    pushed = push.machine_at
    if pushed and all(text.at is not None and text.at < pushed for text in texts):
        found.absent("sms", push.business_key, "所称的短信早于推送,不能算作通知")


def _check_untold(
    row: dict[str, Any],
    push: Stored,
    sms: dict[str, Any],
    mine: list[Liaison],
    *,
    now: datetime | None,
    found: Findings,
) -> None:
    """News without a text: held, waiting, or really without a phone, and owned."""
    state = sms.get("state") or row.get("state")
    if state in DONE_STATES:
        return  # counted as lost where the effect itself is compared
    named = [one for one in mine if one.liaison_id == str(row.get("liaison"))] or mine
    if row.get("state") == "no_phone" and named and all(one.phone for one in named):
        found.absent("sms", push.business_key, "联络员有手机号,却记为无号")
    elif state in WAITING_STATES and not may_wait(row, sms, now):
        found.absent("sms", push.business_key, "推送已到,短信久候未发,或没有责任人与期限")
    elif state not in DECIDED_STATES | WAITING_STATES | {"no_phone"} or not (owned(row) or owned(sms)):
        found.absent("sms", push.business_key, "推送已到,没有短信,也没有责任人与期限")


def compare_privacy(texts: list[Text], feeds: Iterable[list[Served]], city: City, found: Findings) -> None:
    """Counts texts that hold anything of a party: name, number, phone, contact or address."""
    private = {value for feed in feeds for served in feed for value in _private(served.record)}
    lengths = sorted({len(value) for value in private})
    for text in texts:
        # A short name may be part of an office's; only beside the public words does it tell anything.
        cut = text.text
        for word in city.public_words:
            cut = cut.replace(word, "\x00")
        for length in lengths:
            where = text.text if length > SHORT else cut
            if any(_stands(where, i, length) for i in _places_of(where, length, private)):
                found.add("unexpected", "sms", text.receipt or "-", "短信中有当事人的信息")
                break


def _places_of(text: str, length: int, private: set[str]) -> Iterable[int]:
    return (i for i in range(len(text) - length + 1) if text[i : i + length] in private)


def _stands(text: str, begin: int, length: int) -> bool:
    """True unless it is a piece of a text's code: shops named RL and WADA are not told by ZWADARLC."""
    end = begin + length
    if length >= CODE:
        return True
    joined_before = begin > 0 and _latin(text[begin - 1]) and _latin(text[begin])
    joined_after = end < len(text) and _latin(text[end - 1]) and _latin(text[end])
    return not (joined_before or joined_after)


def _latin(sign: str) -> bool:
    return sign.isascii() and sign.isalnum()


def _private(record: Any) -> Iterable[str]:
    if not isinstance(record, dict):
        return
    places = [record.get("party"), record.get("place_of_business")]
    for place in places:
        if not isinstance(place, dict):
            continue
        for name in ("name", "id_number", "legal_person", "contact", "phone", "address"):
            value = place.get(name)
            if isinstance(value, str) and len(value.strip()) >= SHORTEST:
                yield value
