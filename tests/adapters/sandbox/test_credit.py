"""The credit system: batches with a result per record, refusal rules, queries, its own records."""

import json

import pytest

TODAY = "2026-03-10"  # a Tuesday without holidays around
COMPANY = "91430902MA0000023L"


def licence(lib, number="益许〔2026〕1号", **change):
    record = {
        "XK_XDR_MC": "甲公司",
        "XK_XDR_LB": "法人及非法人组织",
        "XK_XDR_SHXYM": COMPANY,
        "XK_FRDB": "某甲",
        "XK_XKWS": "准予行政许可决定书",
        "XK_WSH": number,
        "XK_XKLB": "普通",
        "XK_NR": "食品经营",
        "XK_JDRQ": "2026-03-09",
        "XK_YXQZ": "2026-03-09",
        "XK_YXQZI": "2031-03-08",
        "XK_XKJG": "某局",
        "XK_XKJGDM": lib.department,
        "XK_ZT": "1",
        "XK_LYDW": "某局",
        "XK_LYDWDM": lib.department,
    } | change
    return {name: value for name, value in record.items() if value is not None}


def penalty(lib, **change):
    record = {
        "CF_XDR_MC": "甲公司",
        "CF_XDR_LB": "法人及非法人组织",
        "CF_XDR_SHXYM": COMPANY,
        "CF_FRDB": "某甲",
        "CF_WSH": "益罚〔2026〕1号",
        "CF_WFXW": "无证经营",
        "CF_SY": "事实",
        "CF_YJ": "依据",
        "CF_CFLB": "罚款",
        "CF_NR": "罚款两千元",
        "CF_NR_FK": "0.2",
        "CF_JDRQ": "2026-03-09",
        "CF_GSJZQ": "2026-09-09",
        "CF_CFJG": "某局",
        "CF_CFJGDM": lib.department,
        "CF_SJLY": "某局",
        "CF_SJLYDM": lib.department,
    } | change
    return {name: value for name, value in record.items() if value is not None}


def report(lib, record, own_id, kind="XK", version=1):
    return {
        "own_id": own_id,
        "business_key": f"{kind}|{record[f'{kind}_WSH']}|{own_id}",
        "kind": kind,
        "content_version": version,
        "record": record,
        "content_sha256": lib.sha256(lib.canonical(record)),
    }


def send(sim, lib, *reports):
    key = lib.sha256("\n".join(r["own_id"] for r in reports).encode())
    status, found = sim.call("POST", "/v1/reports", {"reports": list(reports)}, own_id=key)
    assert status == 200, found
    return {result["own_id"]: result for result in found["results"]}


@pytest.fixture
def credit(simulator, world):
    def start(**files):
        world(**files)
        sim = simulator("credit")
        sim.clock(f"{TODAY}T10:00:00+08:00")
        return sim

    return start


def test_a_claim_to_hold_other_content_stores_nothing(credit, lib):
    sim = credit()
    good = report(lib, licence(lib), "CR1")
    sim.faults({"match": {"path_regex": "^/v1/reports$"}, "do": {"kind": "theirs"}, "times": 1})
    found = send(sim, lib, good)["CR1"]
    assert found["code"] == "duplicate"
    assert found["receipt"] is None
    assert found["stored_sha256"] != good["content_sha256"]
    assert sim.stored() == []
    assert send(sim, lib, good)["CR1"]["code"] == "accepted"


def test_each_report_has_its_own_result_and_a_repeat_says_duplicate_with_our_hash(credit, lib):
    sim = credit()
    good = report(lib, licence(lib), "CR1")
    bad = report(lib, licence(lib, number="2号", XK_XDR_SHXYM="91430902MA0000001X"), "CR2")
    found = send(sim, lib, good, bad)
    assert found["CR1"]["code"] == "accepted"
    assert found["CR1"]["receipt"]["number"]
    assert found["CR2"]["code"] == "refused"
    assert [(e["field"], e["rule"]) for e in found["CR2"]["errors"]] == [("XK_XDR_SHXYM", "check-digit")]
    again = send(sim, lib, good)["CR1"]
    assert (again["code"], again["stored_sha256"]) == ("duplicate", good["content_sha256"])
    other = report(lib, licence(lib, XK_NR="另一内容"), "CR1")
    assert send(sim, lib, other)["CR1"]["stored_sha256"] == good["content_sha256"]
    assert [line["own_id"] for line in sim.stored()] == ["CR1"]
    sim.stop()
    sim.start()
    sim.clock(f"{TODAY}T11:00:00+08:00")
    assert send(sim, lib, good)["CR1"]["code"] == "duplicate"
    assert sim.call("GET", "/v1/reports/CR1")[1]["content_sha256"] == good["content_sha256"]
    assert sim.call("GET", "/v1/reports/CR2")[0] == 404
    rows = sim.call("GET", f"/v1/counts?day={TODAY}")[1]["rows"]
    assert [(row["kind"], row["count"]) for row in rows] == [("XK", 1)]


LICENCES = (
    ({"XK_JDRQ": "2026-03-11"}, ("XK_JDRQ", "future")),
    ({"XK_JDRQ": "2026-02-28"}, None),
    # Saturday 28 February is worked, so the 27th is eight working days ago
    ({"XK_JDRQ": "2026-02-27"}, ("XK_JDRQ", "late")),
    ({"XK_YXQZI": "2026-03-01"}, ("XK_YXQZI", "order")),
    ({"XK_XKLB": "其他"}, ("XK_XKLB", "enum")),
    ({"XK_XKLB": "其他-备案"}, None),
    ({"XK_NR": "长" * 4001}, ("XK_NR", "length")),
    ({"XK_FRDB": None}, ("XK_FRDB", "required")),
    ({"XK_ZZ": "1"}, ("XK_ZZ", "unknown-field")),
    ({"XK_YXQZ": "2026/03/09"}, ("XK_YXQZ", "format")),
    ({"XK_XDR_SHXYM": "91430902MA0000031F"}, ("XK_XDR_MC", "unknown-subject")),
)


def test_licences_are_refused_by_the_rules(credit, lib):
    sim = credit(credit_parties=[{"id_number": "91430902MA0000031F", "known": False}])
    for number, (change, rule) in enumerate(LICENCES):
        one = report(lib, licence(lib, number=f"{number}号", **change), f"CR{number}")
        found = send(sim, lib, one)[f"CR{number}"]
        assert [(e["field"], e["rule"]) for e in found["errors"]] == ([rule] if rule else []), change.keys()
        assert found["code"] == ("refused" if rule else "accepted")


PENALTIES = (
        ({}, None),
        ({"CF_GSJZQ": "2026-03-08"}, ("CF_GSJZQ", "order")),
        ({"CF_NR_FK": None}, ("CF_NR_FK", "required")),
        ({"CF_CFLB": "罚款、没收违法所得"}, ("CF_NR_WFFF", "required")),
        ({"CF_CFLB": "罚款、骂人"}, ("CF_CFLB", "enum")),
        ({"CF_NR_FK": "两千"}, ("CF_NR_FK", "format")),
        ({"CF_XDR_LB": "自然人", "CF_XDR_SHXYM": None, "CF_XDR_ZJLX": "身份证",
          "CF_XDR_ZJHM": "430902199001010011"}, ("CF_XDR_ZJHM", "check-digit")),
)  # fmt: skip


def test_penalties_are_refused_by_the_rules(credit, lib):
    sim = credit()
    for number, (change, rule) in enumerate(PENALTIES):
        one = report(lib, penalty(lib, CF_WSH=f"{number}号", **change), f"CR{number}", "CF")
        found = send(sim, lib, one)[f"CR{number}"]
        assert [(e["field"], e["rule"]) for e in found["errors"]] == ([rule] if rule else []), change


def test_one_document_number_belongs_to_one_subject(credit, lib):
    sim = credit()
    assert send(sim, lib, report(lib, licence(lib), "CR1"))["CR1"]["code"] == "accepted"
    thief = report(lib, licence(lib, XK_XDR_SHXYM="91430902MA0000031F"), "CR2")
    assert send(sim, lib, thief)["CR2"]["errors"][0]["rule"] == "duplicate-number"
    corrected = report(lib, licence(lib, XK_NR="更正"), "CR3", version=2)
    assert send(sim, lib, corrected)["CR3"]["code"] == "accepted"


def test_a_wrong_batch_key_or_hash_is_refused(credit, lib):
    sim = credit()
    one = report(lib, licence(lib), "CR1")
    status, problem = sim.call("POST", "/v1/reports", {"reports": [one]}, own_id="CR1")
    assert (status, problem["errors"][0]["rule"]) == (422, "idempotency-key")
    wrong = one | {"content_sha256": "0" * 64}
    assert send(sim, lib, wrong)["CR1"]["errors"][0]["rule"] == "content-hash"


def test_a_serious_penalty_may_bring_an_entry_days_later_also_after_a_restart(credit, lib):
    sim = credit()
    serious = {"CF_CFLB": "吊销许可证件", "CF_NR_ZKDX": "食品经营许可证 1 号", "CF_NR_FK": None}
    reports = [report(lib, penalty(lib, CF_WSH=f"{n}号", **serious), f"CR{n}", "CF") for n in range(20)]
    assert {r["code"] for r in send(sim, lib, *reports).values()} == {"accepted"}
    assert sim.call("GET", "/v1/records/changes")[1]["items"] == []
    sim.stop()
    sim.start()
    sim.clock("2026-03-20T10:00:00+08:00")
    items = sim.call("GET", "/v1/records/changes")[1]["items"]
    assert 0 < len(items) < 20
    assert {item["operation"] for item in items} == {"entry"}
    assert {item["source_own_id"] for item in items} < {f"CR{n}" for n in range(20)}
    assert len([json.loads(line) for line in sim.feed.read_text().splitlines()]) == len(items)
    party = {"ref": "1", "name": "甲公司", "id_type": "统一社会信用代码", "id_number": COMPANY}
    query = {"purpose": "acceptance", "legal_basis": "国办发〔2020〕42号", "parties": [party]}
    status, found = sim.call("POST", "/v1/parties/query", query)
    assert status == 200
    assert found["results"][0]["grade"] == "bad"
    assert len(found["results"][0]["records"]) == len(items)


def test_a_query_tells_the_grade_of_each_party(credit, lib):
    records = [
        {"record_no": "R1", "category": "守信激励对象", "measures": [], "from": "2026-01-01", "to": None}
    ]
    sim = credit(credit_parties=[{"id_number": COMPANY, "grade": "good", "records": records, "known": True}])
    parties = [
        {"ref": "a", "name": "甲公司", "id_type": "统一社会信用代码", "id_number": COMPANY},
        {"ref": "b", "name": "某乙", "id_type": "身份证", "id_number": "X"},
    ]
    query = {"purpose": "acceptance", "legal_basis": "国办发〔2020〕42号", "parties": parties}
    found = sim.call("POST", "/v1/parties/query", query)[1]["results"]
    assert [(r["ref"], r["grade"], len(r["records"])) for r in found] == [
        ("a", "good", 1),
        ("b", "ordinary", 0),
    ]
    assert sim.call("POST", "/v1/parties/query", query | {"purpose": "marketing"})[0] == 422
    assert sim.stored() == []
