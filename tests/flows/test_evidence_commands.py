"""Evidence on the command line: the log, a pack of a case, a tampered ledger."""

import json

import psycopg
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from flows.cli_schemas import schema_of

pytestmark = pytest.mark.stack


def validated(command, done, code=0):
    assert done.code == code, done.err
    value = json.loads(done.out)
    Draft202012Validator(schema_of(command), format_checker=FormatChecker()).validate(value)
    return value


@pytest.fixture
def number(ask):
    """A case with pushes."""
    ((found,),) = ask(
        "SELECT c.case_no FROM cases c JOIN effects e ON e.case_id = c.id WHERE e.state = 'accepted' LIMIT 1"
    )
    return found


def test_the_log_is_whole_and_a_changed_leaf_is_named(shenguan, cluster, city_lived):
    whole = validated("evidence verify", shenguan("evidence", "verify", "--json"))
    assert whole["proven"] == whole["leaves"] > 100
    assert whole["findings"] == []
    assert "留痕日志完整" in shenguan("evidence", "verify").out
    changed = "UPDATE evidence_leaves SET leaf = {} WHERE number = (SELECT leaf FROM evidence_positions"
    with psycopg.connect(cluster.url("superuser", "desk"), autocommit=True) as conn:
        conn.execute("SET session_replication_role = replica")
        conn.execute(changed.format("leaf || ' '") + " WHERE position = 5)")
        try:
            found = shenguan("evidence", "verify")
            told = validated("evidence verify", shenguan("evidence", "verify", "--json"), code=1)
        finally:
            conn.execute(changed.format("rtrim(leaf)") + " WHERE position = 5)")
    assert found.code == 1
    assert found.out.startswith("首个不符：第 5 位")
    assert (told["findings"][0]["position"], told["bad"]) == (5, 1)
    assert told["findings"][0]["own_id"] in found.out


def test_a_pack_of_a_case_is_written_and_verified_without_the_ledger(
    shenguan, signed, number, city_lived, tmp_path, monkeypatch
):
    closed = validated("evidence export", shenguan("evidence", "export", number, "--json"))
    assert closed["opened"] == 0
    by, name, code, value = signed("开包人")
    assert shenguan("evidence", "export", number, "--open").code == 2
    assert shenguan("evidence", "export", number, "--open", by, name, code, "000000").code == 1
    options = ("--open", "--out", "open.zip", by, name, code, value)
    opened = validated("evidence export", shenguan("evidence", "export", number, *options, "--json"))
    assert opened["opened"] > 0
    assert (tmp_path / "open.zip").stat().st_mode & 0o777 == 0o600
    public = city_lived.folder / "evidence.key.pub"
    for variable in city_lived.settings:
        monkeypatch.delenv(variable)
    for file in (f"{number}.zip", "open.zip"):
        told = validated("evidence verify", shenguan("evidence", "verify", file, "--key", public, "--json"))
        assert (told["case_no"], told["findings"], told["own_key"]) == (number, [], False)
    assert "公钥取自包内" in shenguan("evidence", "verify", "open.zip").out
    assert shenguan("evidence", "verify", tmp_path / "open.zip", "--key", tmp_path / "open.zip").code == 2


def test_no_party_is_forgotten_while_its_business_is_open(shenguan, signed, ask):
    ((open_case,),) = ask("SELECT case_no FROM cases WHERE state IN ('accepted', 'completed') LIMIT 1")
    done = shenguan("evidence", "forget", open_case, "--note", "依申请", *signed("甲"))
    assert done.code == 1
    assert "未闭环" in done.err


def test_keys_are_made_once_and_wrapped_again(shenguan, tmp_path):
    made = validated("keys evidence", shenguan("keys", "evidence", tmp_path / "e.key", "--json"))
    assert len(made["key"]) == 16
    assert shenguan("keys", "evidence", tmp_path / "e.key").code == 1
    assert validated("keys rewrap", shenguan("keys", "rewrap", "--json"))["keys"] == 0


def test_a_log_that_lost_nothing_is_not_resumed(shenguan, signed, ask):
    done = shenguan("evidence", "resume", "--note", "试", *signed("续接人"))
    assert done.code == 1
    assert "无须续接" in done.err
    acts = "SELECT outcome FROM operator_acts WHERE act = 'evidence_resume' AND name = %s"
    assert ask(acts, "续接人") == [("proved",)]


def test_a_log_is_resumed_by_nobody_who_proves_no_name(shenguan, signed, ask):
    assert shenguan("evidence", "resume", "--by", "张工", "--note", "试").code == 2, "no code"
    done = shenguan("evidence", "resume", "--by", "张工", "--code", "000000", "--note", "试")
    assert done.code == 1
    assert "无须续接" not in done.err
    acts = "SELECT outcome FROM operator_acts WHERE act = 'evidence_resume' AND name = %s"
    assert ask(acts, "张工") == [("unknown_name",)]
    for command in (("resume",), ("forget", "ZZ1")):
        done = shenguan("evidence", *command, "--note", "电话 13800138000", *signed(command[0]))
        assert done.code == 1
        assert "疑似含有身份证号或手机号" in done.err
