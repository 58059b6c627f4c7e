"""How much of what a world holds: the traits of its cases, by share, each at least once."""

import random

# In the order in which a small world takes them. Minimum for a full world (200 cases and more);
# the third figure is how many cases one of them is made of.
SHARES: tuple[tuple[str, float, int, int], ...] = (
    ("repeated", 0.03, 1, 1),
    ("corrected_in_scope", 0.03, 2, 1),
    ("withdrawn_after_push", 0.015, 2, 1),
    ("not_applicable", 0.06, 6, 1),
    ("unknown_item", 0.01, 4, 1),
    ("secret", 0.005, 1, 1),
    ("broken_credit_code", 0.004, 1, 1),
    ("late_decision", 0.008, 1, 1),
    ("uncovered_place", 0.012, 1, 1),
    ("out_of_order", 0.02, 1, 1),
    ("dirty_code", 0.006, 2, 1),
    ("renewal", 0.02, 1, 2),
    ("corrected_outside_scope", 0.02, 1, 1),
    ("unknown_subject", 0.005, 1, 1),
    ("broken_id_number", 0.003, 1, 1),
    ("work_secret", 0.004, 1, 1),
    ("revocation", 0.006, 1, 2),
    ("duplicate_number", 0.003, 1, 2),
    ("withdrawn_before_result", 0.004, 1, 1),
    ("composite", 0.008, 1, 4),
)
FULL = 200
_SMALL_PART = 0.8  # of a small world may be special


def plan(cases: int, draw: random.Random) -> list[str]:
    """One trait for each case-making step, in a drawn order; "plain" fills the rest.

    Traits made of several cases count for all of them, so the steps together make ``cases`` cases.
    """
    found: list[str] = []
    left = cases if cases >= FULL else int(cases * _SMALL_PART)
    for trait, share, least, size in SHARES:
        count = max(least, round(cases * share)) if cases >= FULL else 1
        for _ in range(count):
            if size <= left:
                found.append(trait)
                left -= size
    sizes = {trait: size for trait, _, _, size in SHARES}
    found += ["plain"] * (cases - sum(sizes[trait] for trait in found))
    draw.shuffle(found)
    return found
