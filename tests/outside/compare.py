"""Counts, from outside, what the product lost, doubled, did unasked or left out in silence.

    python tests/outside/compare.py --city-dir config/yiyang --liaisons FILE \
        --platform-ledger F --platform-feed F --credit-ledger F --credit-feed F --sms-ledger F \
        --statement F [--more-sms-ledger F]... [--accepted-feed FILE]... [--window S] [--reread S] \
        [--now ISO] [--json OUT]

Standard library only; nothing of the product is imported. What is owed is derived from what the
outside systems served (their feed files) and from the city's lists; what happened is read from
their ledgers; the statement is only what we say of ourselves, and is believed only where it
accounts for an absence (refused, held, waiting: each with an owner and a due date).

Counts (design §5): *lost*: we say accepted and they do not have it, or it is owed and neither there
nor accounted for. *doubled*: stored again for one own id, one business key and version, or one
content right after itself to one receiver; a text repeated to one phone, two digests under one name.
*unexpected*: there but not owed, or of other content, fields, receiver; a text that names a party.
*silent*: owed, absent there, and here without refusal, hold, owner and due date; or a refusal or
hold without owner and due date. An owed effect of which nobody knows anything is lost *and* silent.
What is still on its way at the count is lost, but a text may wait for a night, a digest's window or
a day's cap: with an owner and a due date, and for two days of business at most.

Timing. A correct system admits records in the order it reads them, but pages repeat, shift and are
re-read after a kill, so two records published close together may be read in either order. So an
acceptance is a *must* only when a record in status 30 had to be seen as the newest: nothing newer
that ends the stage was published before it, nor within ``--window`` seconds after it (of the feed's
own clock; a day of business by default: what one poll may read together). Else it *may* be there.
Where a harness kills readers, a record may be read again late: with ``--reread`` (seconds, 0 by
default) up to five, or one in ten, of the acceptances followed that soon may be missing; when more
are, every one counts. So a correct system never gets a count, and acceptances switched off always
show. A completion is owed likewise: only a withdrawal or a retracted result published close by
excuses it. Any content that was ever stored must be that of some served version; the last one that
of the newest version, wherever the order is beyond doubt. A case whose newest version withdraws it
owes a recall to each department that holds a push of it, and excuses pushes superseded before they
left; a reinstated one may owe again.

Doubt is given to the record, never to the system as a whole: a *malformed* record owes nothing but
a quarantine row; a *doubtful* one (broken check digit, odd region, strange characters) is excused by
a quarantine row of its own; a clean one is excused by a row only when no broken version explains
that row, and never counts as one that can settle. Secret cases owe a count and nothing else;
unknown item codes one incident per code; items on the 不适用 list a count.

Exit status: 0 when all four are 0, 1 otherwise, 2 when a file is missing or cannot be read.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from comparer.cases import read_cases
from comparer.city import read_city
from comparer.claims import compare_claims, compare_doubles, unproven_refusals
from comparer.evidence import UnreadableEvidence, instant, read_feed, read_ledger, read_statement
from comparer.findings import COUNTS, Findings
from comparer.matching import compare_strays, match_cases
from comparer.news import CREDIT_RECORDS, FEEDBACK, read_news
from comparer.pushes import Patience, compare_pushes, compare_recalls, owed_pushes
from comparer.reports import compare_reports, owed_reports
from comparer.returns import compare_feedback_returns, compare_record_returns
from comparer.settling import can_settle, settled
from comparer.texts import compare_privacy, compare_texts, read_texts

A_DAY = 86400.0
FILES = (
    "liaisons",
    "platform-ledger",
    "platform-feed",
    "credit-ledger",
    "credit-feed",
    "sms-ledger",
    "statement",
)


def compare(given: argparse.Namespace) -> dict[str, Any]:
    """The whole comparison as a JSON-ready dict.

    Raises:
        UnreadableEvidence: a file is missing or cannot be read.
    """
    city = read_city(given.city_dir, given.liaisons)
    feeds = read_feed([given.platform_feed, given.credit_feed, *given.accepted_feed])
    platform, credit = read_ledger(given.platform_ledger), read_ledger(given.credit_ledger)
    # Texts of all gateways stand together: one content to one phone by two of them is doubled.
    texts = [text for ledger in (given.sms_ledger, *given.more_sms_ledger) for text in read_texts(ledger)]
    said, found = read_statement(given.statement), Findings()

    cases, fates = read_cases(feeds["cases"], city, said, found)
    patience = Patience(given.window, max(given.window, given.reread))
    pushes = owed_pushes(cases.values(), city, patience, {effect.business_key for effect in platform})
    compare_pushes(pushes, platform, said=said, city=city, cases=cases, found=found)
    compare_recalls(cases, platform, said, found)

    feedback = read_news(FEEDBACK, feeds["feedback"], said, found)
    match_cases(feedback, cases, pushes.routed, city)
    compare_strays(feedback, said, found)
    compare_feedback_returns(feedback, platform, said, found)
    records = read_news(CREDIT_RECORDS, feeds["records"], said, found)
    compare_record_returns(records, platform, said, patience.reread, found)
    compare_reports(owed_reports(cases, feedback), credit, said, found)

    compare_texts(texts, platform, said=said, city=city, cases=cases, found=found)
    compare_privacy(texts, feeds.values(), city, found)
    compare_claims([*platform, *credit], said, found)
    compare_doubles([*platform, *credit], {c.case_no for c in cases.values() if c.reinstated}, found)

    moments = [effect.at for effect in platform if effect.at is not None]
    now = instant(given.now) if given.now else said.business_now or max(moments, default=None)
    able = can_settle(cases, pushes, platform, feedback=feedback, said=said, city=city, now=now)
    return {
        **found.as_json(),
        "can_settle": len(able),
        "settled": len(able & settled(said)),
        "refusals_unproven": unproven_refusals(said, [given.platform_ledger, given.credit_ledger]),
        "settled_in_all": len(settled(said)),
        "unsettled": sorted(able - settled(said))[:50],
        "owed": {
            "pushes": sum(push.owed > 0 for push in pushes.owed.values()),
            "pushes_allowed": len(pushes.owed),
            "unrouted": len(pushes.unrouted),
        },
        "cases": dict(sorted(fates.items())),
    }


def main(arguments: list[str]) -> int:
    """The command line; see the module's own text."""
    parser = argparse.ArgumentParser(prog="compare.py", description="从外部核对:丢失、重复、多发、无声")
    parser.add_argument("--city-dir", type=Path, required=True)
    for name in FILES:
        parser.add_argument(f"--{name}", type=Path, required=True, metavar="FILE")
    parser.add_argument("--accepted-feed", type=Path, action="append", default=[], metavar="FILE")
    parser.add_argument("--more-sms-ledger", type=Path, action="append", default=[], metavar="FILE")
    parser.add_argument("--window", type=float, default=A_DAY, metavar="SECONDS")
    parser.add_argument("--reread", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--now", metavar="ISO", help="业务时间,用于判断观察期是否届满")
    parser.add_argument("--json", type=Path, metavar="OUT")
    given = parser.parse_args(arguments)
    try:
        result = compare(given)
    except UnreadableEvidence as problem:
        sys.stderr.write(f"无法核对: {problem}\n")
        return 2
    text = json.dumps(result, ensure_ascii=True, indent=1)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")
    else:
        sys.stdout.write(text + "\n")
    return 1 if any(result[count] for count in COUNTS) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
