"""A pack proves by itself what was done for a case; a second verifier, written from the page, agrees."""

import ast
import asyncio
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from flows.cli_evidence import _pack_lines
from models.evidence.pack import PackUnreadable, verify_pack
from models.evidence.signing import Signer, create_signing_key
from tasks.evidence.export import CannotExport, export_case
from tasks.steps import admit_cases, check_parties, send_pushes
from tests.outside import evidence_check
from tests.tasks.records import case, serial
from tests.tasks.test_evidence_log import Log

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def log(world, cluster, shared_database, tmp_path):
    made = Log(world, cluster.url("superuser", shared_database), tmp_path)
    await made.grow(2)
    made.kept = made.folder.last_head()
    made.record = case(serial())
    await world.arrive(made.record)
    await world.run(admit_cases, check_parties, send_pushes)
    await made.grow(1)
    return made


async def exported(log, path, **more):
    ledger = log.world.services.ledger
    return await export_case(ledger, log.folder, log.verifier, log.record["case_no"], path, **more)


async def test_a_pack_holds_the_whole_case_and_verifies_without_anything_of_ours(log, tmp_path):
    path = tmp_path / "pack.zip"
    told = await exported(log, path, opens=log.world.services.sealing, since=log.kept)
    assert path.stat().st_mode & 0o777 == 0o600
    pushes = await log.world.value(
        "SELECT count(*) FROM effects WHERE case_id = (SELECT id FROM cases WHERE case_no = %s)",
        log.record["case_no"],
    )
    assert told.leaves == 2 + 2 * pushes > 3, "its record, its look-up, each push and its answer"
    assert told.opened == 2 + pushes
    for verifier in (None, log.verifier):
        verified = verify_pack(path, verifier, kept=log.kept)
        assert (verified.findings, verified.leaves, verified.opened) == ((), told.leaves, told.opened)
    assert evidence_check.check_pack(path) == evidence_check.check_pack(path, log.verifier.pem()) == []
    with zipfile.ZipFile(path) as pack:
        plain = [json.loads(pack.read(name)) for name in pack.namelist() if name.endswith(".plain")]
        assert log.record in plain
        assert {"grade", "records"} in [set(each) for each in plain]
        index = pack.read("目录.md").decode()
    assert log.record["case_no"] in index
    assert log.record["party"]["name"] not in index
    assert "发出" in index
    assert "收到信用查询答复" in index


async def test_a_pack_that_was_not_opened_shows_nothing_of_the_party(log, tmp_path):
    path = tmp_path / "pack.zip"
    await exported(log, path)
    with zipfile.ZipFile(path) as pack:
        content = b"".join(pack.read(name) for name in pack.namelist())
    assert log.record["party"]["name"].encode() not in content
    assert log.record["party"]["id_number"].encode() not in content
    assert (verify_pack(path).findings, verify_pack(path).opened) == ((), 0)


def rewritten(path, change):
    """The pack with another content of one of its files."""
    with zipfile.ZipFile(path) as pack:
        files = {name: pack.read(name) for name in pack.namelist()}
    change(files)
    with zipfile.ZipFile(path, "w") as pack:
        for name, content in files.items():
            pack.writestr(name, content)


def in_json(change):
    def changed(files):
        value = json.loads(files["pack.json"])
        change(value)
        files["pack.json"] = json.dumps(value).encode()

    return changed


def other_leaf(value):
    value["leaves"][1]["leaf"] = value["leaves"][1]["leaf"].replace('"v":1', '"v": 1')


def other_place(value):
    value["leaves"][1]["position"] -= 1


def other_order(value):
    value["leaves"][0], value["leaves"][1] = value["leaves"][1], value["leaves"][0]


def other_size(value):
    value["head"]["size"] += 1


def other_root(value):
    value["head"]["root"] = "00" * 32


def other_key(value):
    entry = next(each for each in value["leaves"] if '"intent"' in each["leaf"])
    entry["business_key"] += "x"


def other_salt(value):
    entry = next(each for each in value["leaves"] if each["salt"])
    entry["salt"] = "00" * 32


def other_bytes(suffix):
    def changed(files):
        name = next(name for name in files if name.endswith(suffix))
        files[name] += b"\0"

    return changed


def no_leaves(value):
    value["leaves"] = []


def other_case(value):
    value["case_no"] = "ZZ99999999"


def case_with_a_cursor(value):
    value["case_no"] += "\n\x1b[2K证据包无误"


def no_key(value):
    next(each for each in value["leaves"] if '"answer"' in each["leaf"])["business_key"] = None


def no_case(value):
    """What is left names none: the look-up alone."""
    value["leaves"] = [each for each in value["leaves"] if '"lookup"' in each["leaf"]]


def bytes_of_another(value):
    first, second = [each for each in value["leaves"] if each["plain"]][:2]
    first["plain"] = second["plain"]


def other_time(value):
    value["made_at"] = "2020-01-01T00:00:00+00:00"


def one_more_file(files):
    files["bytes/0000000099.plain"] = b"he paid"


def other_page(files):
    files["目录.md"] = files["目录.md"].replace("对方接收".encode(), "对方拒收".encode())


TAMPERED = {
    "one_more_file": one_more_file,
    "other_page": other_page,
    **{
        change.__name__: in_json(change)
        for change in (
            *(other_leaf, other_place, other_order, other_size, other_root, other_key, other_salt),
            *(no_leaves, bytes_of_another, other_case, case_with_a_cursor, no_key, no_case, other_time),
        )
    },
    "other_sealed": other_bytes(".sealed"),
    "other_plain": other_bytes(".plain"),
}


async def test_both_verifiers_find_every_change_of_a_pack(log, tmp_path):
    for name, change in TAMPERED.items():
        path = tmp_path / f"{name}.zip"
        await exported(log, path, opens=log.world.services.sealing)
        rewritten(path, change)
        assert verify_pack(path).findings, name
        assert evidence_check.check_pack(path), name


async def test_a_pack_of_another_key_or_another_log_is_found(log, tmp_path):
    path = tmp_path / "pack.zip"
    await exported(log, path)
    stranger = create_signing_key(tmp_path / "stranger.key")
    assert {each.kind for each in verify_pack(path, stranger).findings} == {"heads"}
    assert evidence_check.check_pack(path, stranger.pem())
    assert [each.kind for each in verify_pack(path, kept=log.kept).findings] == ["kept"], (
        "no --since, no proof"
    )
    await exported(log, path, since=log.kept)
    assert verify_pack(path, kept=log.kept).findings == ()
    rewritten(path, in_json(lambda value: value["consistency"]["proof"].reverse()))
    assert [each.kind for each in verify_pack(path, kept=log.kept).findings] == ["kept"]


async def test_what_is_no_pack_is_said(tmp_path, log):
    path = tmp_path / "x.zip"
    path.write_bytes(b"nothing")
    with pytest.raises(PackUnreadable):
        verify_pack(path)
    await exported(log, path)
    rewritten(path, in_json(lambda value: value.pop("head")))
    with pytest.raises(PackUnreadable):
        verify_pack(path)
    with pytest.raises(PackUnreadable):
        verify_pack(tmp_path / "absent.zip")


async def test_a_pack_of_two_cases_says_it_is_of_none(log, tmp_path):
    """Leaves of another case are proven as well, under the same head."""
    path, other = tmp_path / "pack.zip", tmp_path / "other.zip"
    await exported(log, path)
    number = await log.world.value(
        "SELECT case_no FROM cases WHERE case_no <> %s ORDER BY case_no LIMIT 1", log.record["case_no"]
    )
    await export_case(log.world.services.ledger, log.folder, log.verifier, number, other)
    with zipfile.ZipFile(other) as pack:
        more = {name: pack.read(name) for name in pack.namelist()}

    def both(files):
        value = json.loads(files["pack.json"])
        value["leaves"] += json.loads(more["pack.json"])["leaves"]
        value["leaves"].sort(key=lambda each: each["position"])
        files |= {name: more[name] for name in more if name.startswith("bytes/")}
        files["pack.json"] = json.dumps(value).encode()

    rewritten(path, both)
    assert {each.kind for each in verify_pack(path).findings} == {"pack"}
    assert evidence_check.check_pack(path) == ["another case"]


async def test_nothing_a_bearer_wrote_moves_the_cursor(log, tmp_path):
    path = tmp_path / "pack.zip"
    await exported(log, path)
    rewritten(path, in_json(case_with_a_cursor))
    lines = list(_pack_lines(verify_pack(path)))
    assert all(line.isprintable() for line in lines)
    assert lines[-1].startswith(f"有不符之处：办件 {log.record['case_no']}\\n\\x1b[2K证据包无误，")


def _deep(files):
    files["pack.json"] = b"[" * 100_000


def _replaced(old, new):
    def changed(files):
        assert old in files["pack.json"]
        files["pack.json"] = files["pack.json"].replace(old, new, 1)

    return changed


def _endless(value):
    value["leaves"][0]["position"] = "POSITION"


def _in_leaf(text):
    def changed(value):
        value["leaves"][0]["leaf"] = text

    return in_json(changed)


UNFIT = {
    "deep": _deep,
    "infinite position": lambda files: (in_json(_endless)(files), _replaced(b'"POSITION"', b"1e400")(files)),
    "position of true": in_json(lambda value: value["leaves"][0].update(position=True)),
    "a leaf that is no text": _in_leaf([]),
    "half a sign": in_json(lambda value: value.update(case_no="\ud800")),
    "half a sign in a leaf": _in_leaf("\ud800"),
    "half a sign in the head": in_json(lambda value: value["head"].update(at="\ud800")),
    "a name twice": _replaced(b"{", b'{"case_no":"A",'),
    "no key": lambda files: files.update({"public.pem": b"x"}),
    "no page": lambda files: files.pop("目录.md"),
    "no plain bytes": lambda files: files.pop(next(name for name in files if name.endswith(".plain"))),
    "too large": lambda files: files.update({"bytes/0": bytes(257 * 1024 * 1024)}),
    "too large a list": lambda files: files.update({"pack.json": b" " * (17 * 1024 * 1024)}),
}


@pytest.mark.parametrize("name", UNFIT)
async def test_what_is_written_to_break_the_verifier_is_no_pack(log, tmp_path, name):
    path = tmp_path / "pack.zip"
    await exported(log, path, opens=log.world.services.sealing)
    rewritten(path, UNFIT[name])
    with pytest.raises(PackUnreadable):
        verify_pack(path)
    assert evidence_check.check_pack(path), name


async def test_a_zip_file_that_we_would_not_write_is_no_pack(log, tmp_path):
    path = tmp_path / "pack.zip"
    await exported(log, path)
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as pack:
        info = pack.getinfo("pack.json")
        local, central = info.header_offset, pack.start_dir
    data = local + 30 + len("pack.json")

    def patched(*changes):
        raw = bytearray(whole)
        for at, value in changes:
            raw[at] = value
        path.write_bytes(raw)
        with pytest.raises(PackUnreadable):
            verify_pack(path)
        assert evidence_check.check_pack(path)

    patched((local + 6, 1), (central + 8, 1))  # encrypted
    patched((local + 8, 99), (central + 10, 99))  # a method that nobody knows
    patched((data, 0xFF))  # no deflate
    patched((central + 24, 1), (central + 25, 0))  # longer than it says
    path.write_bytes(whole)
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as pack:
        pack.writestr("目录.md", "证据包无误")
    with pytest.raises(PackUnreadable, match="重名"):
        verify_pack(path)
    assert evidence_check.check_pack(path)


async def test_a_case_that_is_not_there_or_not_sealed_gives_no_pack(log, tmp_path):
    services = log.world.services
    with pytest.raises(CannotExport, match="没有这个办件"):
        await export_case(services.ledger, log.folder, log.verifier, "NONE", tmp_path / "x.zip")
    record = case(serial())
    await log.world.arrive(record)
    await log.world.run(admit_cases)
    with pytest.raises(CannotExport, match="尚未封存"):
        await export_case(services.ledger, log.folder, log.verifier, record["case_no"], tmp_path / "x.zip")


async def test_the_second_verifier_agrees_on_the_whole_log(log):
    async def leaves():
        rows = await log.world.rows(
            "SELECT position, l.leaf FROM evidence_positions p JOIN evidence_leaves l ON number = p.leaf"
        )
        return {row["position"]: row["leaf"] for row in rows}

    pem = log.verifier.pem()
    ours = await log.verify()
    assert evidence_check.check_folder(log.folder.path, pem) == ([], ours.proven)
    assert evidence_check.first_bad_leaf(log.folder.path, ours.proven, await leaves()) is None
    log.tamper(
        "UPDATE evidence_leaves SET leaf = leaf || ' ' WHERE number ="
        " (SELECT leaf FROM evidence_positions WHERE position = 9)",
        "DELETE FROM evidence_leaves WHERE number ="
        " (SELECT leaf FROM evidence_positions WHERE position = 13)",
    )
    first = (await log.verify()).findings[0]
    found = evidence_check.first_bad_leaf(log.folder.path, ours.proven, await leaves())
    assert first.position == found == 9
    path = log.folder.path / "heads.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[2])
    wrong, proven = evidence_check.check_folder(log.folder.path, pem)
    assert wrong
    assert proven == (await log.verify()).proven


def test_the_second_verifier_knows_nothing_of_ours():
    source = (ROOT / "tests" / "outside" / "evidence_check.py").read_text()
    imported = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {each.name.split(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.split(".")[0])
    assert imported - sys.stdlib_module_names == {"cryptography"}


async def test_the_second_verifier_runs_by_itself(log, tmp_path):
    path, public = tmp_path / "pack.zip", tmp_path / "public.pem"
    await exported(log, path)
    public.write_bytes(Signer.load(log.key).verifier.pem())
    script = ROOT / "tests" / "outside" / "evidence_check.py"
    command = [sys.executable, "-I", script, path, public]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "nothing is wrong")
