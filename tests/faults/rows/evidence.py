"""Row 22: somebody with the superuser's password edits, deletes, moves or cuts the evidence."""

import json
import random

import psycopg
from psycopg import sql

from tests.faults.catalogue import row

AT = "(SELECT leaf FROM evidence_positions WHERE position = {})"
EDITED = "UPDATE evidence_leaves SET leaf = replace(leaf, '\"v\":1', '\"v\": 1') WHERE number = " + AT
REHASHED = (
    "UPDATE evidence_positions p SET leaf_hash = sha256('\\x00'::bytea || convert_to(l.leaf, 'UTF8'))"
    " FROM evidence_leaves l WHERE l.number = p.leaf"
)


def tamperings(draw, size):
    """Name, the statements of a superuser, and the position that the verifier must name first."""
    one, other = sorted(draw.sample(range(1, size - 5), 2))
    yield "edited", [EDITED.format(other), EDITED.format(one)], one
    yield "edited, its hash made to fit", [EDITED.format(one), REHASHED], one
    yield "deleted", ["DELETE FROM evidence_leaves WHERE number = " + AT.format(one)], one
    yield (
        "deleted, the rest moved up",
        [
            "DELETE FROM evidence_leaves WHERE number = " + AT.format(one),
            f"DELETE FROM evidence_positions WHERE position = {one}",
            f"UPDATE evidence_positions SET position = -position WHERE position > {one}",
            "UPDATE evidence_positions SET position = -position - 1 WHERE position < 0",
        ],
        one,
    )
    swapped = f"position IN ({one}, {other})"
    yield (
        "reordered",
        [
            f"UPDATE evidence_positions SET leaf = -leaf WHERE {swapped}",
            (
                f"WITH o AS (SELECT position, leaf, leaf_hash FROM evidence_positions WHERE {swapped})"
                " UPDATE evidence_positions p SET leaf = -o.leaf, leaf_hash = o.leaf_hash FROM o"
                f" WHERE p.{swapped} AND o.position <> p.position"
            ),
        ],
        one,
    )
    yield (
        "cut",
        [
            (
                f"DELETE FROM evidence_leaves WHERE number IN (SELECT leaf FROM evidence_positions"
                f" WHERE position >= {size - 4})"
            ),
            f"DELETE FROM evidence_positions WHERE position >= {size - 4}",
            "DELETE FROM evidence_seals WHERE size = (SELECT max(size) FROM evidence_seals)",
        ],
        size - 4,
    )
    yield (
        "replaced from the first leaf on",
        ["UPDATE evidence_leaves SET leaf = replace(leaf, '\"v\":1', '\"v\": 1')", REHASHED],
        0,
    )


@row(22, "留痕被改、删、调换、截短、整份替换", least=7, cases=60, settings={"SHENGUAN_EVIDENCE_EVERY_S": "1"})
def tampered(row):
    draw = random.Random(row.seed)
    row.dispatcher()
    row.days(35, each_s=0.3)
    row.heal()
    row.measure_drain()
    row.rest()
    row.stop("dispatcher", "listener")
    whole = verified(row, "shenguan")
    row.notes["leaves"] = whole["proven"]
    if whole["findings"] or not whole["proven"]:
        row.problems.append(f"未改动的留痕核验不符：{whole['findings'][:2]}")
        return
    for name, statements, first in tamperings(draw, whole["proven"]):
        with a_copy(row) as database:
            tamper(row, database, statements)
            found = verified(row, database)
        place = found["findings"][0]["position"] if found["findings"] else None
        if place == first:
            row.hit += 1
            row.kinds[name] += 1
        else:
            row.problems.append(f"{name}：第一条不符应为第 {first} 条，核验说 {found['findings'][:1]}")


class a_copy:  # noqa: N801 - read as words
    """A copy of the ledger to tamper with; the ledger itself stays whole."""

    def __init__(self, row):
        self._url = row.stack.cluster.url("superuser", "postgres")

    def __enter__(self):
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", "CREATE DATABASE {} TEMPLATE shenguan")
        self._run("GRANT CONNECT ON DATABASE {} TO shenguan_app, shenguan_audit")
        return "tampered"

    def __exit__(self, *_):
        self._run("DROP DATABASE {} WITH (FORCE)")

    def _run(self, *statements):
        with psycopg.connect(self._url, autocommit=True) as conn:
            for statement in statements:
                conn.execute(sql.SQL(statement).format(sql.Identifier("tampered")))


def tamper(row, database, statements):
    with psycopg.connect(row.stack.cluster.url("superuser", database), autocommit=True) as conn:
        conn.execute("SET session_replication_role = replica")
        for statement in statements:
            conn.execute(statement)


def verified(row, database) -> dict:
    """What `shenguan evidence verify` says of this ledger, against the heads outside of it."""
    url = row.stack.cluster.url("app", database)
    done = row.command("evidence", "verify", "--json", env={"SHENGUAN_DATABASE_URL": url})
    told = json.loads(done.stdout) if done.stdout.strip() else {"findings": [], "proven": 0}
    if bool(told["findings"]) != (done.returncode == 1):
        row.problems.append(f"evidence verify 退出码 {done.returncode}：{done.stderr[-200:]}")
    return told
