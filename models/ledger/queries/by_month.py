"""Conditions that leave out the months in which nothing can be, where a number alone would not say so."""

from models.ledger.tables.months import BEFORE


def since(column: str, moment: str) -> str:
    """The numbers of this moment (SQL) and later, with a month to spare.

    A clock may be set back, and a month begins when a program that runs lets it begin. What has no month is
    never left out.
    """
    return f"({column} < {BEFORE} OR {column} >= month_floor({moment} - interval '1 month'))"


def last_answer(effect: str) -> str:
    """What was answered to the last try of an effect, which is called so in the statement."""
    return (
        f"(SELECT a.answer FROM effect_attempts a WHERE a.own_id = {effect}.own_id"
        f" AND {since('a.leaf', f'{effect}.planned_at')} ORDER BY a.attempt DESC LIMIT 1)"
    )
