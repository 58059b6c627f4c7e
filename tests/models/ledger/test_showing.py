"""When the ledger's work goes before its picture."""

from models.ledger.queries.showing import work_waiting

EFFECTS = """
INSERT INTO effects (own_id, channel, target, business_key, content_version, content_sha256, send_after,
    state)
SELECT %(mark)s::text || n, %(channel)s::text,
    %(target)s::text || CASE WHEN %(channel)s::text = 'sms' THEN n::text ELSE '' END,
    %(mark)s::text || n, 1, '', now() - interval '1 s', %(state)s::text
FROM generate_series(1, %(count)s::int) n
"""
OPEN = """
INSERT INTO breakers (system, target, state, failures, opened_at, probes, row_version)
VALUES ('platform', 'DEAD', 'open', 5, now(), 0, 1)
"""


async def test_what_waits_for_nobody_is_no_work(ledger):
    async with ledger.writing() as conn:
        assert await work_waiting(conn, 50) == 0
        await conn.execute(OPEN)
        effects = {"mark": "a", "channel": "push", "target": "DEAD", "state": "planned", "count": 60}
        await conn.execute(EFFECTS, effects)
        receipts = {"mark": "b", "channel": "sms", "target": "x", "state": "unknown", "count": 60}
        await conn.execute(EFFECTS, receipts)
        assert await work_waiting(conn, 50) == 0
        await conn.execute(EFFECTS, effects | {"mark": "c", "target": "ALIVE", "count": 30})
        assert await work_waiting(conn, 50) == 30
        await conn.execute(EFFECTS, effects | {"mark": "d", "target": "ALIVE", "count": 30})
        assert await work_waiting(conn, 50) == 50, "no further than asked"
