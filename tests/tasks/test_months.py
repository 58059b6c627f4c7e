"""Months of the ledger: made ahead, kept whole without, put into files, and proven from there."""

import gzip
import hashlib
import json
import shutil
from pathlib import Path

import psycopg
import pytest

from models.ledger.archiving import CannotArchive, archive
from models.ledger.maintaining import NoMonth, maintain
from models.ledger.months import make_ahead, next_month
from models.ledger.tables.months import A_MONTH, BY_MONTH
from tasks.evidence.export import CannotExport, export_case
from tasks.evidence.log import verify_log
from tasks.months_watch import look_at_months, watch_months
from tests.tasks.records import NOW, case, serial
from tests.tasks.test_evidence_log import Log
from tests.tasks.test_plans import job

OLD = 202301
"""A month far behind us."""


@pytest.fixture
def owner(cluster, shared_database):
    return cluster.url("owner", shared_database)


@pytest.fixture
def as_superuser(cluster, shared_database):
    def run(*statements):
        with psycopg.connect(cluster.url("superuser", shared_database), autocommit=True) as conn:
            conn.execute("SET session_replication_role = replica")
            for statement in statements:
                conn.execute(statement)

    return run


@pytest.fixture
def log(world, cluster, shared_database, tmp_path):
    return Log(world, cluster.url("superuser", shared_database), tmp_path)


@pytest.fixture
async def long_ago(world, owner, as_superuser, log):
    """A month of the past whose cases are settled and whose evidence is sealed; then the month of today."""
    with psycopg.connect(owner) as conn:
        for table in BY_MONTH:
            name = f"{table}_{OLD}"
            conn.execute(f"DROP TABLE IF EXISTS {name}")
            conn.execute(
                f"CREATE TABLE {name} PARTITION OF {table}"
                f" FOR VALUES FROM ({OLD * A_MONTH}) TO ({(OLD + 1) * A_MONTH})"
            )
    as_superuser(
        "UPDATE business_clock SET rate = rate",
        f"SELECT setval('history_id_seq', {OLD * A_MONTH + 1}, false)",
        f"SELECT setval('evidence_leaves_number_seq', {OLD * A_MONTH + 1}, false)",
    )
    log.sealer._next = float("inf")  # nobody lets the month begin meanwhile
    numbers = await _settled(world)
    as_superuser("SELECT begin_month()", "UPDATE cases SET first_seen_at = '2023-01-10'")
    as_superuser(
        "UPDATE effects SET planned_at = '2023-01-10'",
        "UPDATE mirror SET told_due = NULL",
        # its tries were looked for in the months since today
        "UPDATE effect_attempts SET finished_at = started_at, outcome = 'accepted' WHERE finished_at IS NULL",
    )
    log.sealer._next = 0
    await log.grow(2)
    yield numbers
    with psycopg.connect(owner) as conn:
        for table in BY_MONTH:
            conn.execute(f"DROP TABLE IF EXISTS {table}_{OLD}")


def _sha256(file):
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


async def _settled(world):
    await job(world, NOW)
    return await world.column("SELECT case_no FROM cases WHERE state = 'settled'")


async def _counts(world):
    return {table: await world.value(f"SELECT count(*) FROM {table}") for table in BY_MONTH}


async def test_what_is_written_lies_in_its_month(world):
    await world.arrive(case(serial()))
    await world.run()
    for table in ("history", "effect_attempts", "evidence_leaves"):
        (where,) = await world.column(f"SELECT DISTINCT tableoid::regclass::text FROM {table}")
        month = await world.value(f"SELECT month_floor(clock_timestamp()) / {A_MONTH}")
        assert where == f"{table}_{month}"


async def test_rows_without_a_month_are_kept_found_and_moved(world, mailbox, owner, as_superuser, log):
    mailbox.services = None  # a late receipt of another test's text would be one row more
    month = await world.value(f"SELECT month_floor(clock_timestamp()) / {A_MONTH}")
    as_superuser(*(f"DROP TABLE {table}_{m}" for table in BY_MONTH for m in (month, next_month(month))))
    await log.grow(2)
    counts = await _counts(world)
    assert all(counts.values())
    assert {table: await world.value(f"SELECT count(*) FROM {table}_rest") for table in BY_MONTH} == counts
    (said,) = await look_at_months(world.services.ledger)
    assert said.level == "bad"
    assert not await watch_months(world.services.ledger, world.services.calendar)
    assert await world.column("SELECT kind FROM incidents WHERE closed_at IS NULL") == ["months_missing"]
    done = maintain(owner)
    assert done.moved == sum(counts.values())
    assert await _counts(world) == counts
    assert not any([await world.value(f"SELECT count(*) FROM {table}_rest") for table in BY_MONTH])
    (said,) = await look_at_months(world.services.ledger)
    assert said.level == "fine"
    assert await watch_months(world.services.ledger, world.services.calendar)
    assert await world.value("SELECT count(*) FROM incidents WHERE closed_at IS NULL") == 0
    await log.grow()
    found = await log.verify()
    assert (found.findings, found.bad) == ((), 0)
    assert found.leaves == await world.value("SELECT count(*) FROM evidence_leaves")
    assert maintain(owner).made == ()


async def test_nobody_but_the_owner_touches_a_month_and_evidence_not_even_he(
    world, owner, cluster, shared_database
):
    month = await world.value(f"SELECT month_floor(clock_timestamp()) / {A_MONTH}")
    for table in BY_MONTH:
        for statement in (f"SELECT FROM {table}_{month}", f"DELETE FROM {table}_{month}"):
            with (
                psycopg.connect(cluster.url("app", shared_database)) as conn,
                pytest.raises(psycopg.errors.InsufficientPrivilege),
            ):
                conn.execute(statement)
    for name in (f"evidence_leaves_{month}", f"evidence_positions_{month}", "evidence_leaves_rest"):
        for statement in (f"DELETE FROM {name}", f"TRUNCATE {name}"):
            with psycopg.connect(owner) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(statement)


async def test_numbers_never_go_back_with_the_clock(world, as_superuser):
    later = await world.value(f"SELECT month_floor(clock_timestamp()) + {A_MONTH}")
    as_superuser(f"SELECT setval('history_id_seq', {later})")
    assert await world.value("SELECT begin_month()") is False
    await world.arrive(case(serial()))
    await world.run()
    assert await world.value("SELECT min(id) FROM history") == later + 1


async def test_a_month_in_a_file_changes_nothing(world, owner, long_ago, log, tmp_path):
    before = await _counts(world)
    done = maintain(owner, months=["2023-01"], folder=tmp_path / "files")
    assert [each.kind for each in done.archived] == ["history", "attempts", "evidence"]
    assert await _counts(world) == before
    for each in done.archived:
        assert not each.dropped
        with gzip.open(each.file, "rt") as lines:
            assert sum(1 for _ in lines) == each.rows > 0
        assert (
            (tmp_path / "files" / f"{each.kind}-2023-01.jsonl.gz.sha256").read_text().startswith(each.sha256)
        )
    with pytest.raises(CannotArchive, match="已存在"):
        maintain(owner, months=["2023-01"], folder=tmp_path / "files")


async def test_an_archived_month_is_verified_from_its_file(world, owner, long_ago, log, tmp_path):
    before = await _counts(world)
    whole = await log.verify()
    assert (whole.findings, whole.archived) == ((), 0)
    done = maintain(owner, months=["2023-01"], folder=tmp_path / "files", drop=True)
    gone = {each.kind: each.rows for each in done.archived}
    after = await _counts(world)
    assert after["evidence_positions"] == before["evidence_positions"] - gone["evidence"]
    assert after["history"] == before["history"] - gone["history"]
    # nobody believes the ledger alone: its leaf must stand under a head
    assert {each.kind for each in (await log.verify()).findings} >= {"missing", "archive"}
    await log.sealer.seal()
    # said, and nothing else found
    found = await log.verify()
    assert (found.findings, found.bad, found.archived) == ((), 0, gone["evidence"])
    assert found.archived + found.leaves == whole.leaves + 1
    # read from the file, every leaf under its head
    found = await log.verify(archive=tmp_path / "files")
    assert (found.findings, found.archived, found.archived_read) == ((), 0, gone["evidence"])
    # the log goes on, and says that a month went
    await log.grow()
    found = await log.verify(archive=tmp_path / "files")
    assert (found.findings, found.bad) == ((), 0)
    last = await world.value("SELECT leaf FROM evidence_leaves WHERE leaf LIKE '%%\"archived\"%%'")
    assert json.loads(last)["leaves"] == gone["evidence"]
    with pytest.raises(CannotExport, match="2023-01 的留痕已归档"):
        await export_case(world.services.ledger, log.folder, log.verifier, long_ago[0], tmp_path / "pack.zip")
    with pytest.raises(CannotArchive, match="没有这个月"):
        maintain(owner, months=["2023-01"], folder=tmp_path / "more")


async def test_a_changed_file_is_found(world, owner, long_ago, log, tmp_path, as_superuser):
    done = maintain(owner, months=["2023-01"], folder=tmp_path / "files", drop=True)
    file = next(each.file for each in done.archived if each.kind == "evidence")
    with gzip.open(file, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    rows[3]["leaf"] = rows[3]["leaf"].replace('"v":1', '"v": 1')
    shutil.move(file, f"{file}.kept")
    with gzip.open(file, "wt") as out:
        out.writelines(json.dumps(row) + "\n" for row in rows)
    await log.sealer.seal()
    (found,) = (await log.verify(archive=tmp_path / "files")).findings
    assert found.kind == "archive"
    # where the digest in the ledger is changed to fit, the sealed leaf does not
    digest = _sha256(file)
    as_superuser(f"UPDATE archived_months SET sha256 = '{digest}' WHERE kind = 'evidence'")
    found = (await log.verify(archive=tmp_path / "files")).findings
    assert [each.kind for each in found] == ["archive", "archive"]
    # and where a leaf is written and sealed to fit as well, the leaves do not
    as_superuser(
        'INSERT INTO evidence_leaves (leaf) SELECT regexp_replace(leaf, \'"sha256":"[0-9a-f]+"\','
        f' \'"sha256":"{digest}"\') FROM evidence_leaves WHERE leaf LIKE \'%"archived"%\''
    )
    await log.sealer.seal()
    found = (await log.verify(archive=tmp_path / "files")).findings
    assert [(each.kind, each.position) for each in found][:2] == [
        ("changed", rows[3]["position"]),
        ("archive", rows[0]["position"]),
    ]


async def test_a_month_that_holds_the_leaf_of_an_older_one_says_it_again(
    world, owner, long_ago, log, tmp_path, as_superuser
):
    files, later = tmp_path / "files", OLD + 1
    with psycopg.connect(owner) as conn:
        for table in BY_MONTH:
            conn.execute(
                f"CREATE TABLE {table}_{later} PARTITION OF {table}"
                f" FOR VALUES FROM ({later * A_MONTH}) TO ({(later + 1) * A_MONTH})"
            )
    (*_, first) = maintain(owner, months=["2023-01"], folder=files, drop=True).archived
    archived = "SELECT leaf FROM evidence_leaves WHERE leaf LIKE '%%\"archived\"%%' ORDER BY number"
    old = json.loads(await world.value(archived))
    await log.sealer.seal()
    said = "SELECT number FROM evidence_leaves WHERE leaf LIKE '%\"archived\"%'"
    as_superuser(  # as if it had been written a month later
        f"UPDATE evidence_positions SET leaf = {later * A_MONTH + 1} WHERE leaf = ({said})",
        f"UPDATE evidence_leaves SET number = {later * A_MONTH + 1} WHERE number = ({said})",
    )
    (*_, second) = maintain(owner, months=["2023-02"], folder=files, drop=True).archived
    assert second.rows == 1
    await log.sealer.seal()
    newer, again = (json.loads(leaf) for leaf in await world.column(archived))
    assert (newer["month"], again["at"] > old["at"]) == ("2023-02", True)
    assert again == old | {"at": again["at"]}
    found = await log.verify()
    assert (found.findings, found.archived) == ((), first.rows + 1)
    found = await log.verify(archive=files)
    assert (found.findings, found.archived_read, found.archived) == ((), first.rows + 1, 0)


async def test_leaves_taken_away_are_not_excused_by_an_archived_month(owner, long_ago, log, tmp_path):
    maintain(owner, months=["2023-01"], folder=tmp_path / "files", drop=True)
    at = "(SELECT leaf FROM evidence_positions ORDER BY position LIMIT 1)"
    log.tamper(
        f"DELETE FROM evidence_leaves WHERE number = {at}",
        f"DELETE FROM evidence_positions WHERE leaf = {at}",
    )
    found = await verify_log(log.world.services.ledger, log.folder, log.verifier)
    assert "missing" in {each.kind for each in found.findings}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            (
                "UPDATE cases SET state = 'completed', settled_at = NULL"
                f" WHERE id = (SELECT case_id FROM history WHERE id < {OLD + 1} * {A_MONTH} LIMIT 1)"
            ),
            "1 件办件尚未闭环",
        ),
        ("DELETE FROM evidence_positions WHERE position = 2", "1 条留痕尚未封存"),
        (
            (
                "UPDATE effects SET state = 'planned'"
                " WHERE own_id = (SELECT own_id FROM effect_attempts"
                f" WHERE leaf < {OLD + 1} * {A_MONTH} LIMIT 1)"
            ),
            "1 项动作尚未了结",
        ),
        (
            (
                "UPDATE mirror SET told_due = now()"
                f" WHERE case_id = (SELECT case_id FROM history WHERE id < {OLD + 1} * {A_MONTH} LIMIT 1)"
            ),
            "1 件办件的经过尚未写到运行页",
        ),
    ],
    ids=["open", "unsealed", "unfinished", "untold"],
)
async def test_a_month_that_is_still_needed_stays(
    world, owner, long_ago, as_superuser, tmp_path, change, why
):
    as_superuser(change)
    before = await _counts(world)
    with pytest.raises(CannotArchive, match=why):
        maintain(owner, months=["2023-01"], folder=tmp_path / "files", drop=True)
    assert await _counts(world) == before
    assert not (tmp_path / "files").exists()


async def test_a_young_month_stays(owner, tmp_path, world):
    month = await world.value(f"SELECT month_floor(clock_timestamp()) / {A_MONTH}")
    with psycopg.connect(owner) as conn, pytest.raises(CannotArchive, match="还没有结束"):
        archive(conn, month, tmp_path, drop=True, keep=1)
    with psycopg.connect(owner) as conn:
        assert make_ahead(conn).months == ()
    with pytest.raises(NoMonth):
        maintain(owner, months=["2023-13"], folder=tmp_path)
