"""An answer that cannot be read: its bytes are kept and stand in front of a person, once."""

from adapters.values import RawItem
from models.domain.errors import Unreadable
from models.domain.workdays import Calendar
from models.ledger.connection import Ledger
from models.ledger.queries import clock, inbox, quarantine
from models.ledger.sealing import Sealing
from tasks.in_front import Problem, in_front_of_a_person
from tasks.intake import Arrival, Feed, keep


async def keep_unreadable(
    ledger: Ledger, sealing: Sealing, calendar: Calendar, feed: Feed, broken: Unreadable
) -> None:
    """Keep the first bytes of the answer with the rule it breaks.

    While one of this feed and rule stands in front of a person, the next ones add nothing.
    """
    answers = Feed(feed.source, feed.name, "answer", "feed", "")
    key = f"{feed.name}-{broken.rule}"
    async with ledger.reading() as conn:
        if await quarantine.is_open(conn, answers.kind, key):
            return
    await keep(ledger, sealing, answers, [Arrival(RawItem(broken.raw, {"feed": key}))])
    async with ledger.writing() as conn:
        now = await clock.business_now(conn)
        rows = await inbox.take_waiting(conn, "answer", 100)
        message = f"对方接口（{feed.source}/{feed.name}）的答复无法读取，原始内容已保留，请联系对方"
        problems = [Problem(row, broken.rule, message) for row in rows]
        await inbox.close(conn, await in_front_of_a_person(conn, calendar, problems, business_now=now))
