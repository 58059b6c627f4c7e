"""What the simulators' own files say of a phase: when a case was published, a push and a text accepted.

No clock of ours counts: *publication* is when the platform put the case into its feed, *push accepted* when
it stored the push, *text accepted* when the gateway stored it, each as the simulator wrote it down.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from statistics import quantiles
from typing import Any

from benchmarks.standing import NotMeasured, Standing

_FEWEST = 2
_TOLD = (
    "SELECT t.reference, array_agg(n.push_own_id) FROM sms_texts t"
    " JOIN sms_news n ON n.sms_own_id = t.own_id GROUP BY t.reference"
)
_LIAISONS = (
    "SELECT count(DISTINCT t.phone_index) FROM sms_texts t JOIN sms_news n ON n.sms_own_id = t.own_id"
    " WHERE n.push_own_id = ANY(%s)"
)


def figures(stands: Standing, cases: Collection[str]) -> dict[str, Any]:
    """Seconds from publication to push and to the first text, of these cases.

    Raises:
        NotMeasured: a case was not pushed, or nobody was told.
    """
    published = dict(_published(stands, cases))
    pushes = {
        line["own_id"]: line
        for line in stands.held("platform")
        if line["kind"] == "push" and line["case_no"] in published
    }
    pushed = {line["case_no"] for line in pushes.values()}
    if len(pushed) < len(published) or len(published) < len(cases):
        raise NotMeasured(f"{len(cases)} 件只发布了 {len(published)} 件，推送了 {len(pushed)} 件")
    texts = list(_first_texts(stands, pushes, published))
    if len(texts) < _FEWEST:
        raise NotMeasured(f"只有 {len(texts)} 条首次短信，无从计时")
    ((liaisons,),) = stands.rows(_LIAISONS, [list(pushes)])
    return {
        "pushed": len(pushed),
        "liaisons_told": liaisons,
        "published_to_push_s": spread([at(line) - published[line["case_no"]] for line in pushes.values()]),
        "published_to_first_text_s": spread([text for text, _ in texts]),
        "push_to_first_text_s": spread([text for _, text in texts]),
    }


def _published(stands: Standing, cases: Collection[str]) -> Iterator[tuple[str, float]]:
    for line in stands.published("platform"):
        if line["feed"] == "cases" and line["record"]["case_no"] in cases:
            yield line["record"]["case_no"], at(line)


def _first_texts(
    stands: Standing, pushes: Mapping[str, Mapping[str, Any]], published: Mapping[str, float]
) -> Iterator[tuple[float, float]]:
    """For each text that tells only of these pushes: since the earliest publication, the earliest push.

    Nobody had a text before, and the digest's window is longer than a phase: each is a liaison's first.
    """
    told = dict(stands.rows(_TOLD))
    for line in stands.held("sms"):
        text = line["content"]["content"]
        for reference, own_ids in told.items():
            if reference in text and pushes.keys() >= set(own_ids):
                since = min(published[pushes[own_id]["case_no"]] for own_id in own_ids)
                yield at(line) - since, at(line) - min(at(pushes[own_id]) for own_id in own_ids)


def at(line: Mapping[str, Any]) -> float:
    """When a simulator wrote this line down, by the machine's clock."""
    return datetime.fromisoformat(line["machine_at"]).timestamp()


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Median and tail of these."""
    cuts = quantiles(seconds, n=100, method="inclusive")
    return {
        "n": len(seconds),
        "p50": round(cuts[49], 3),
        "p95": round(cuts[94], 3),
        "p99": round(cuts[98], 3),
        "max": round(max(seconds), 3),
    }
