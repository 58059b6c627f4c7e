"""The senders' guard: the ledger's mark, who keeps a journal of it, and the lock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from models.ledger.bulk import Conn, arrays
from models.ledger.queries.clock import NOW


@dataclass(frozen=True, slots=True)
class Standing:
    """Which installation this is, how far its mark has come, and the lock that stands, if one does."""

    installation: UUID
    mark: int
    lock: UUID | None


async def standing(conn: Conn) -> Standing | None:
    """How the guard stands; None before the first sender of this installation came."""
    cursor = await conn.execute(
        "SELECT g.installation, g.mark, l.id FROM sender_guard g"
        " LEFT JOIN sender_locks l ON l.opened_at IS NULL WHERE g.id = 1"
    )
    row = await cursor.fetchone()
    return Standing(row["installation"], row["mark"], row["id"]) if row else None


async def begin(conn: Conn) -> None:
    """Draw the installation's identity, once."""
    await conn.execute(
        "INSERT INTO sender_guard (id, installation, mark) VALUES (1, %s, 0) ON CONFLICT DO NOTHING",
        (uuid4(),),
    )


async def take_installation(conn: Conn, installation: UUID) -> None:
    """A ledger that never sent goes by this installation's identity from now on."""
    await conn.execute("UPDATE sender_guard SET installation = %s WHERE id = 1 AND mark = 0", (installation,))


async def next_mark(conn: Conn) -> tuple[int, datetime]:
    """Move the mark on: the mark and the business time.

    The last statement of an intent transaction: others wait for its COMMIT.
    """
    cursor = await conn.execute(
        f"UPDATE sender_guard SET mark = mark + 1 WHERE id = 1 RETURNING mark, {NOW} AS now".encode()
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row["mark"]), row["now"]


async def lift_mark(conn: Conn, mark: int) -> None:
    """The mark is at least this from now on."""
    await conn.execute("UPDATE sender_guard SET mark = greatest(mark, %s) WHERE id = 1", (mark,))


async def join(conn: Conn, journal: UUID, host: str) -> None:
    """Remember that this host keeps this journal of this ledger."""
    await conn.execute(
        "INSERT INTO sender_journals (journal, host) VALUES (%s, %s) ON CONFLICT DO NOTHING", (journal, host)
    )


async def lock(conn: Conn, *, cause: str, host: str, journal_mark: int, ledger_mark: int) -> bool:
    """Lock the senders; whether it was open before."""
    cursor = await conn.execute(
        "INSERT INTO sender_locks (id, cause, host, journal_mark, ledger_mark)"
        " VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (uuid4(), cause, host, journal_mark, ledger_mark),
    )
    return cursor.rowcount == 1


async def open_lock(conn: Conn) -> dict[str, Any] | None:
    """The lock that stands: id, cause, host, both marks, since."""
    cursor = await conn.execute(
        "SELECT id, cause, host, journal_mark, ledger_mark, since FROM sender_locks WHERE opened_at IS NULL"
    )
    return await cursor.fetchone()


async def merged(conn: Conn, journal: UUID, lock_id: UUID) -> None:
    """What this journal knows was taken over for this lock."""
    await conn.execute("UPDATE sender_journals SET merged_lock = %s WHERE journal = %s", (lock_id, journal))


async def given_up(conn: Conn, hosts: Sequence[str]) -> int:
    """These hosts' journals are lost: nobody waits for them; how many."""
    cursor = await conn.execute(
        "UPDATE sender_journals SET lost = true WHERE host = ANY(%s) AND NOT lost", (list(hosts),)
    )
    return cursor.rowcount


async def unmerged(conn: Conn, lock_id: UUID) -> list[str]:
    """The hosts whose journals have yet to be taken over before this lock may be opened."""
    cursor = await conn.execute(
        "SELECT DISTINCT host FROM sender_journals"
        " WHERE NOT lost AND merged_lock IS DISTINCT FROM %s ORDER BY host",
        (lock_id,),
    )
    return [row["host"] for row in await cursor.fetchall()]


async def unlock(conn: Conn, lock_id: UUID, opened_by: str) -> None:
    """Open the lock; who did it stands beside it."""
    await conn.execute(
        "UPDATE sender_locks SET opened_at = now(), opened_by = %s WHERE id = %s AND opened_at IS NULL",
        (opened_by, lock_id),
    )


async def news_of(conn: Conn, texts: Sequence[str]) -> dict[str, list[list[str | None]]]:
    """What each of these texts tells: pairs of push own id and the liaison's number."""
    cursor = await conn.execute(
        "SELECT sms_own_id, push_own_id, liaison FROM sms_news WHERE sms_own_id = ANY(%s)"
        " ORDER BY push_own_id",
        (list(texts),),
    )
    told: dict[str, list[list[str | None]]] = {}
    for row in await cursor.fetchall():
        told.setdefault(row["sms_own_id"], []).append([row["push_own_id"], row["liaison"]])
    return told


async def told_before(conn: Conn, rows: Sequence[tuple[str, str, str | None]]) -> None:
    """Remember (push own id, text's own id, liaison) of news that left before the restore."""
    await conn.execute(
        "INSERT INTO told_before (push_own_id, sms_own_id, liaison)"
        " SELECT * FROM unnest(%s::text[], %s::text[], %s::text[]) ON CONFLICT DO NOTHING",
        arrays(rows, 3),
    )


async def fold_told(conn: Conn, pushes: Sequence[str]) -> None:
    """News of these pushes that left in a text before a restore is folded into that text."""
    await conn.execute(
        "UPDATE sms_news n SET state = 'folded', sms_own_id = t.sms_own_id, liaison = t.liaison,"
        " owner = NULL, due_at = NULL FROM told_before t"
        " WHERE t.push_own_id = ANY(%s) AND n.push_own_id = t.push_own_id AND n.state <> 'folded'",
        (list(pushes),),
    )
