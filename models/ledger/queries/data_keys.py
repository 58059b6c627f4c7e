"""The subjects' keys: read before what they sealed is opened, made where a subject has none yet."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from models.ledger.bulk import Conn, arrays
from models.ledger.data_keys import WRAPPED_FIELD, new_secret
from models.ledger.sealing import SealBroken, Sealing

NO_PARTY = b"\0no party"
"""The subject of all that is about no party."""
_FORGETTING = 0x5347_0E02
_COLUMNS = "k.id, k.subject, k.algorithm, k.wrapped"


async def load(conn: Conn, sealing: Sealing, envelopes: Iterable[bytes]) -> None:
    """Read the data keys of these envelopes, so that they can be opened. No query where all are known.

    Raises:
        UnknownKey: the key file lacks the key that wrapped one.
    """
    missing = sealing.data_keys.missing(envelopes)
    if not missing:
        return
    cursor = await conn.execute(
        ("SELECT " + _COLUMNS + " FROM data_keys k WHERE k.id = ANY(%s)").encode(), (missing,)
    )
    _learn(sealing, await cursor.fetchall())
    for key_id in missing:
        if not sealing.data_keys.knows(key_id):
            sealing.data_keys.learn_broken(key_id)


async def of_subjects(conn: Conn, sealing: Sealing, subjects: Collection[bytes]) -> dict[bytes, UUID]:
    """The living key of each subject, made where there is none; nobody destroys one until the end."""
    if not subjects:
        return {}
    await _hold_off(conn)
    wanted = sorted(set(subjects))
    found = await _living(conn, sealing, wanted)
    # In one order everywhere: two that make keys of the same subjects wait, and do not lock each other.
    lacking = [subject for subject in wanted if subject not in found]
    if not lacking:
        return found
    made = [(uuid4(), subject, new_secret(sealing.algorithm)) for subject in lacking]
    await conn.execute(
        "INSERT INTO data_keys (id, subject, algorithm, wrapped)"
        " SELECT n.id, n.subject, %s, n.wrapped FROM unnest(%s::uuid[], %s::bytea[], %s::bytea[])"
        " n (id, subject, wrapped) ON CONFLICT (subject) WHERE wrapped IS NOT NULL DO NOTHING",
        (
            sealing.algorithm,
            *arrays(
                (
                    (key_id, subject, sealing.seal(WRAPPED_FIELD, key_id, secret))
                    for key_id, subject, secret in made
                ),
                3,
            ),
        ),
    )
    return found | await _living(conn, sealing, lacking)


async def of_cases(conn: Conn, sealing: Sealing, case_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """The living key of each case's party."""
    if not case_ids:
        return {}
    await _hold_off(conn)
    cursor = await conn.execute(
        (
            "SELECT c.id AS case_id, c.party_index, "
            + _COLUMNS
            + " FROM cases c LEFT JOIN data_keys k ON k.subject = c.party_index AND k.wrapped IS NOT NULL"
            " WHERE c.id = ANY(%s)"
        ).encode(),
        (list(case_ids),),
    )
    rows = await cursor.fetchall()
    _learn(sealing, [row for row in rows if row["id"] is not None])
    lacking = {bytes(row["party_index"]) for row in rows if row["id"] is None}
    made = await of_subjects(conn, sealing, lacking)
    return {row["case_id"]: row["id"] or made[bytes(row["party_index"])] for row in rows}


async def party_of_numbers(conn: Conn, numbers: Sequence[str]) -> dict[str, bytes]:
    """The party of each of these cases by its number, where it is known."""
    cursor = await conn.execute(
        "SELECT case_no, party_index FROM cases WHERE case_no = ANY(%s)", (list(numbers),)
    )
    return {row["case_no"]: bytes(row["party_index"]) for row in await cursor.fetchall()}


async def to_rewrap(conn: Conn, current: bytes, limit: int) -> list[dict[str, Any]]:
    """Living keys that another key than the current one wraps, by the beginning of their envelopes."""
    cursor = await conn.execute(
        "SELECT id, wrapped FROM data_keys WHERE wrapped IS NOT NULL"
        " AND substring(wrapped FROM 1 FOR %s) <> %s ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED",
        (len(current), current, limit),
    )
    return await cursor.fetchall()


async def rewrap(conn: Conn, rows: Sequence[tuple[UUID, bytes]]) -> int:
    """Write the keys as they are wrapped now; what was destroyed meanwhile stays so."""
    cursor = await conn.execute(
        "UPDATE data_keys k SET wrapped = n.wrapped FROM unnest(%s::uuid[], %s::bytea[]) n (id, wrapped)"
        " WHERE k.id = n.id AND k.wrapped IS NOT NULL",
        arrays(rows, 2),
    )
    return cursor.rowcount


async def alone(conn: Conn) -> None:
    """Nobody seals under a subject's key until this transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock(%s)", (_FORGETTING,))


async def destroy(conn: Conn, subjects: Sequence[bytes]) -> list[UUID]:
    """Destroy the living keys of these subjects; their ids."""
    cursor = await conn.execute(
        "UPDATE data_keys SET wrapped = NULL, destroyed_at = clock_timestamp()"
        " WHERE subject = ANY(%s) AND wrapped IS NOT NULL RETURNING id",
        (list(subjects),),
    )
    return [row["id"] for row in await cursor.fetchall()]


async def unfinished(conn: Conn, subjects: Sequence[bytes]) -> dict[str, int]:
    """What of these parties is not over: cases that have not settled, effects that may still go."""
    cursor = await conn.execute(
        "SELECT (SELECT count(*) FROM cases WHERE party_index = ANY(%(s)s)"
        " AND state NOT IN ('settled', 'voided')) AS cases,"
        " (SELECT count(*) FROM effects e JOIN cases c ON c.id = e.case_id WHERE c.party_index = ANY(%(s)s)"
        " AND (e.state IN ('planned', 'leased', 'intent', 'unknown')"
        " OR e.state IN ('held', 'refused') AND e.decided_at IS NULL)) AS effects",
        {"s": list(subjects)},
    )
    row = await cursor.fetchone()
    assert row is not None
    return row


async def ask_forgetting(conn: Conn, identity: UUID, case_id: UUID, *, note: str, by: str) -> None:
    """Write that somebody asks for it."""
    await conn.execute(
        "INSERT INTO forgettings (id, case_id, note, asked_by) VALUES (%s, %s, %s, %s)",
        (identity, case_id, note, by),
    )


async def asked_forgetting(conn: Conn, case_id: UUID) -> dict[str, Any] | None:
    """What was asked for about this case's party and waits for another person."""
    cursor = await conn.execute(
        "SELECT id, note, asked_by, asked_at FROM forgettings WHERE case_id = %s AND confirmed_by IS NULL"
        " FOR UPDATE",
        (case_id,),
    )
    return await cursor.fetchone()


async def confirm_forgetting(
    conn: Conn, identity: UUID, *, by: str, at: datetime, keys: int, leaf: int
) -> None:
    """Write that another person confirmed it, how many keys went, and the leaf that says so."""
    await conn.execute(
        "UPDATE forgettings SET confirmed_by = %s, confirmed_at = %s, keys = %s, leaf = %s WHERE id = %s",
        (by, at, keys, leaf, identity),
    )


async def _living(conn: Conn, sealing: Sealing, subjects: Sequence[bytes]) -> dict[bytes, UUID]:
    cursor = await conn.execute(
        (
            "SELECT " + _COLUMNS + " FROM data_keys k WHERE k.subject = ANY(%s) AND k.wrapped IS NOT NULL"
        ).encode(),
        (list(subjects),),
    )
    rows = await cursor.fetchall()
    _learn(sealing, rows)
    return {bytes(row["subject"]): row["id"] for row in rows}


async def _hold_off(conn: Conn) -> None:
    """A key that is used here is not destroyed before this transaction has ended."""
    await conn.execute("SELECT pg_advisory_xact_lock_shared(%s)", (_FORGETTING,))


def _learn(sealing: Sealing, rows: Iterable[dict[str, Any]]) -> None:
    keys = sealing.data_keys
    for row in rows:
        if keys.knows(row["id"]) and row["wrapped"] is not None:
            continue
        try:
            secret = row["wrapped"] and sealing.open_sealed(WRAPPED_FIELD, row["id"], row["wrapped"])
        except SealBroken:
            keys.learn_broken(row["id"])
        else:
            keys.learn(row["id"], row["algorithm"], secret)
