"""Commands on a city that has lived: what people read, what programs read, and the exit codes."""

import json
from datetime import datetime

import psycopg
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from flows.cli_schemas import schema_of

pytestmark = pytest.mark.stack


def validated(command, text):
    value = json.loads(text)
    Draft202012Validator(schema_of(command), format_checker=FormatChecker()).validate(value)
    return value


@pytest.fixture
def refused(ask):
    """A case of which one credit report was refused, and nothing else: number and own id."""
    rows = ask(
        "SELECT c.case_no, min(e.own_id) FROM effects e JOIN cases c ON c.id = e.case_id"
        " WHERE e.state = 'refused' AND e.decided_at IS NULL GROUP BY c.case_no HAVING count(*) = 1"
        " ORDER BY c.case_no"
    )
    assert rows
    return rows[0]


def test_status_counts_what_the_ledger_holds(shenguan, ask):
    done = shenguan("status", "--json")
    told = validated("status", done.out)
    assert told["cases"] == dict(ask("SELECT state, count(*) FROM cases GROUP BY state"))
    assert (
        sum(told["effects"]["push"].values())
        == ask("SELECT count(*) FROM effects WHERE channel = 'push'")[0][0]
    )
    assert {each["feed"] for each in told["feeds"]} == {"cases", "feedback", "records"}
    assert told["clock"]["real"] is False
    assert told["clock"]["rate"] == 0
    assert told["refused"] > 0
    overdue = sum(told["overdue"].values())
    assert done.code == (1 if overdue else 3 if told["held"] else 0)


def test_status_is_read_in_chinese_and_names_owners_and_days(shenguan):
    done = shenguan("status")
    assert "演示时钟，停走" in done.out
    assert "信用报送被拒" in done.out
    assert "负责" in done.out
    assert "未登记的原因码" not in done.out


def test_a_case_is_understood(shenguan, ask, refused):
    number, own_id = refused
    told = validated("case show", shenguan("case", "show", number, "--json").out)
    assert told["case_no"] == number
    assert told["state_name"] == "已办结"
    assert "信用报送被拒" in told["waits"]
    assert told["credit_check"]["basis"]
    report = next(each for each in told["effects"] if each["own_id"] == own_id)
    assert report["state_name"] == "被拒"
    assert report["last_answer"].startswith("不合对方规则（rule-broken）")
    assert report["owner"]
    assert all(each["receipt"] for each in told["effects"] if each["state"] == "accepted")
    moments = [datetime.fromisoformat(each["at"]) for each in told["timeline"]]
    assert moments == sorted(moments)
    page = shenguan("case", "show", number).out
    assert own_id in page
    assert "经过（业务时间）" in page
    assert "未登记的原因码" not in page


def test_no_page_holds_anything_of_a_party(shenguan, ask, city_lived):
    world = city_lived.folder / "world" / "feed_cases.jsonl"
    records = [json.loads(line)["record"] for line in world.read_text().splitlines()]
    parties = [
        each["party"] for each in records if isinstance(each, dict) and isinstance(each.get("party"), dict)
    ]
    secrets = {
        str(party[name])
        for party in parties
        for name in ("id_number", "phone", "address", "name")
        if party.get(name)
    }
    assert len(secrets) > 50
    pages = [shenguan("status").out, shenguan("quarantine", "list").out]
    pages += [shenguan("case", "show", number).out for (number,) in ask("SELECT case_no FROM cases LIMIT 12")]
    shown = "\n".join(pages)
    assert [secret for secret in secrets if len(secret) > 2 and secret in shown] == []


def test_what_never_became_a_case_is_told_with_its_fate(shenguan, ask):
    number = ask(
        "SELECT record_key FROM quarantine q WHERE kind = 'case' AND NOT EXISTS"
        " (SELECT FROM cases c WHERE c.case_no = q.record_key) LIMIT 1"
    )[0][0]
    done = shenguan("case", "show", number)
    assert done.code == 1
    assert "已隔离" in done.err
    assert "联动运维岗" in done.err
    assert "没有收到过" in shenguan("case", "show", "不存在").err


def test_quarantine_is_listed_shown_and_released(shenguan, ask, signed):
    listed = shenguan("quarantine", "list", "--json")
    records = validated("quarantine list", listed.out)["records"]
    assert listed.code == 1
    assert len(records) == ask("SELECT count(*) FROM quarantine WHERE released_at IS NULL")[0][0]
    one = records[-1]
    shown = validated("quarantine show", shenguan("quarantine", "show", one["id"][:8], "--json").out)
    assert shown["rule"] == one["rule"]
    assert len(shown["sha256"]) == 64
    done = validated(
        "quarantine release",
        shenguan("quarantine", "release", one["id"], *signed("王五"), "--json").out,
    )
    assert done == {"released": [one["id"]], "by": "王五"}
    assert ask("SELECT released_by FROM quarantine WHERE id = %s", one["id"]) == [("王五",)]
    waiting = ask(
        "SELECT i.outcome FROM inbox i JOIN quarantine q ON q.inbox_id = i.id WHERE q.id = %s", one["id"]
    )
    assert waiting == [("waiting",)]
    again = shenguan("quarantine", "release", one["id"], *signed("王五"))
    assert again.code == 1
    assert "已放行" in again.err


def test_incidents_are_one_for_each_matter(shenguan, ask):
    done = shenguan("incidents", "--json")
    told = validated("incidents", done.out)["incidents"]
    assert len(told) == ask("SELECT count(*) FROM incidents WHERE closed_at IS NULL")[0][0]
    assert done.code == (1 if told else 0)


def test_a_refused_report_is_tried_again_by_number(shenguan, ask, refused, signed):
    number, own_id = refused
    before = ask("SELECT attempts FROM effects WHERE own_id = %s", own_id)[0][0]
    done = shenguan("rerun", number, *signed("孙八"), "--json")
    told = validated("rerun", done.out)
    assert told["asked"] >= 1
    assert told["refused"] >= 1  # the same content breaks the same rule
    assert done.code == 3
    assert ask("SELECT attempts FROM effects WHERE own_id = %s", own_id)[0][0] == before + 1
    page = json.loads(shenguan("case", "show", number, "--json").out)
    assert "孙八" in {each["actor"] for each in page["timeline"]}
    assert shenguan("rerun", "不存在", "--by", "孙八", "--code", "000000").code == 1


def test_a_person_decides_a_refused_report_once_and_the_case_can_settle(shenguan, ask, refused, signed):
    number, own_id = refused
    private = shenguan("decide", own_id, *signed("李四"), "--note", "已致电 13800138000 核实")
    assert private.code == 1
    assert "13800138000" not in private.err
    done = validated(
        "decide", shenguan("decide", own_id, *signed("李四"), "--note", "逾期，已书面说明", "--json").out
    )
    assert done["by"] == "李四"
    assert ask("SELECT decided_by, state FROM effects WHERE own_id = %s", own_id) == [("李四", "refused")]
    told = json.loads(shenguan("case", "show", number, "--json").out)
    assert told["timeline"][-1]["event"] == "人工裁定"
    assert told["timeline"][-1]["reason"] == "逾期，已书面说明"
    assert "信用报送被拒" not in told["waits"]
    again = shenguan("decide", own_id, *signed("李四"), "--note", "再来")
    assert again.code == 1
    assert "已由 李四 裁定" in again.err


def test_only_what_stands_in_front_of_a_person_is_decided(shenguan, ask, signed):
    own_id = ask("SELECT own_id FROM effects WHERE channel = 'push' AND state = 'accepted' LIMIT 1")[0][0]
    done = shenguan("decide", own_id, *signed("李四"), "--note", "试试")
    assert done.code == 1
    assert "无须裁定" in done.err
    assert "没有这个编号" in shenguan("decide", "PS0", *signed("李四"), "--note", "试试").err


def test_drain_and_statement_speak_json_too(shenguan, tmp_path):
    done = shenguan("drain", "--timeout", "5", "--json")
    assert validated("drain", done.out)["rounds"] >= 1
    assert done.code in {1, 3}
    told = validated("statement", shenguan("statement", "--out", tmp_path / "s.jsonl", "--json").out)
    assert told["lines"] > 100
    assert validated("load-city", shenguan("load-city", "--json").out) == {"reopened": 0}


def test_the_doctor_names_what_is_off(shenguan, monkeypatch):
    done = shenguan("doctor", "--json")
    found = {each["what"]: each for each in validated("doctor", done.out)["findings"]}
    for what in (
        "设置",
        "密封密钥",
        "台账数据库",
        "时钟",
        "数据库结构",
        "政务服务平台",
        "信用系统",
        "短信网关",
        "留痕",
    ):
        assert found[what]["level"] == "fine", found[what]
    assert found["回执监听"]["level"] == "attention"
    assert found["Prefect"]["todo"]
    assert done.code == 1
    monkeypatch.setenv("SHENGUAN_PLATFORM_SECRET", "not the secret")
    monkeypatch.setenv("SHENGUAN_CREDIT_URL", "http://127.0.0.1:1")
    worse = shenguan("doctor")
    assert worse.code == 2
    assert "坏　  政务服务平台：签名不符" in worse.out
    assert "坏　  信用系统：连接不上" in worse.out


def test_a_look_that_the_ledger_does_not_answer_is_one_line_among_the_others(shenguan, city_lived):
    with psycopg.connect(city_lived.owner) as conn:
        conn.execute("LOCK TABLE liaisons IN ACCESS EXCLUSIVE MODE")
        done = shenguan("doctor", "--json")
    assert done.code == 2
    found = {each["what"]: each for each in validated("doctor", done.out)["findings"]}
    assert found["清单与联络员"]["level"] == "bad"
    assert "LockNotAvailable" in found["清单与联络员"]["said"]
    assert found["留痕"]["level"] == "fine"
    assert {"外发日志", "分月", "政务服务平台", "磁盘"} <= set(found)


def test_the_doctor_says_every_wrong_setting_at_once(shenguan, monkeypatch):
    monkeypatch.setenv("SHENGUAN_LEASE_S", "viele")
    monkeypatch.setenv("SHENGUAN_PLATFROM_URL", "x")
    monkeypatch.delenv("SHENGUAN_SMS_SIGN")
    done = shenguan("doctor", "--json")
    said = [each["said"] for each in json.loads(done.out)["findings"] if each["level"] == "bad"]
    assert done.code == 2
    assert len(said) == 3
    assert "viele" not in done.out


def test_a_database_without_tables_is_said(shenguan, monkeypatch, cluster, empty_database):
    monkeypatch.setenv("SHENGUAN_DATABASE_URL", cluster.url("app", empty_database))
    done = shenguan("status")
    assert done.code == 2
    assert "shenguan migrate" in done.err
    found = {each["what"]: each for each in json.loads(shenguan("doctor", "--json").out)["findings"]}
    assert "shenguan migrate" in found["数据库结构"]["todo"]


def test_a_ledger_that_is_away_is_said(shenguan, monkeypatch):
    monkeypatch.setenv("SHENGUAN_DATABASE_URL", "postgresql://nobody:geheim@127.0.0.1:1/none")
    done = shenguan("status")
    assert done.code == 2
    assert "台账数据库不可用" in done.err
    assert "geheim" not in done.err


def test_many_are_looked_at_first_and_go_again_under_a_name(shenguan, ask, signed):
    stopped = (
        "SELECT count(*) FROM effects WHERE state IN ('refused', 'held') AND channel <> 'sms'"
        " AND decided_at IS NULL"
    )
    tries = "SELECT sum(attempts) FROM effects"
    before, tried = ask(stopped)[0][0], ask(tries)[0][0]
    assert before > 0
    done = shenguan("rerun", "--failed", "--json")
    told = validated("rerun", done.out)
    assert told["dry_run"] is True
    assert 0 < told["found"]["total"] <= before
    assert ask(tries)[0][0] == tried
    assert "尚未执行" in shenguan("rerun", "--failed").out
    assert shenguan("rerun", "--failed", "--go", "--by", "孙八", "--code", "000000").code == 1
    assert ask(tries)[0][0] == tried
    done = shenguan("rerun", "--failed", "--go", "--channel", "信用报送", *signed("孙八"), "--json")
    told = validated("rerun", done.out)
    assert (told["dry_run"], told["by"]) == (False, "孙八")
    assert told["asked"] == told["found"]["would_go"] > 0
    assert ask(tries)[0][0] >= tried + told["asked"]
    assert ask("SELECT DISTINCT act FROM operator_acts WHERE name = '孙八' AND outcome = 'proved'")
    wrong = shenguan("rerun", "--failed", "--stage", "什么")
    assert wrong.code == 2
    assert "可选" in wrong.err
    assert shenguan("rerun").code == 2
    assert shenguan("rerun", "--failed", "某号").code == 2
