"""Rows 0, 8, 9, 10, 12: what may become of an answer."""

from tests.faults.catalogue import BASELINE, row
from tests.faults.proxies import TlsDoor
from tests.faults.row import SYSTEMS

EFFECTS = {"method": "POST", "path_regex": "^/(v1/(pushes|recalls|returns|reports)|sms/norsubmit)$"}
FEEDS = {"method": "GET", "path_regex": "/changes$"}
EVERYWHERE: dict = {}


@row(BASELINE, "没有故障", least=0)
def no_fault(row):
    row.window_days = 1
    row.dispatcher()
    row.days(35)
    row.heal()
    row.measure_drain()
    row.rest(every=1)


def struck(row, rules, *, days=30, each_s=0.4):
    """A life under these rules, then the healing, the drain and the rest of the life."""
    row.dispatcher()
    row.days(2)
    for system in SYSTEMS:
        row.faults(system, *rules(system))
    row.days(row.times(days), each_s=each_s)
    row.heal()
    row.measure_drain()
    row.rest()


@row(8, "5xx、429、401、拒绝连接、TLS 错误", least=60)
def no_service(row):
    door = TlsDoor(row.stack.simulators.ports["credit"], row.folder)
    by_tls = {"SHENGUAN_CREDIT_URL": f"https://127.0.0.1:{door.port}", "SSL_CERT_FILE": str(door.trusted)}
    row.dispatcher(env=by_tls)
    row.days(2)
    for system in SYSTEMS:
        row.faults(system, *(rule | {"probability": 0.06} for rule in ANSWERS_OF_NO))
    for _ in range(row.times(3)):
        row.days(5)
        door.show(wrong=True)
        row.days(3, each_s=0.8)
        door.show(wrong=False)
        row.note_hits()
        row.down("platform", "sms")
        row.days(2, each_s=0.8)
        row.up("platform", "sms")
        row.days(2)
    row.heal()
    row.measure_drain()
    row.rest()
    row.kinds["tls"] = door.hit
    row.kinds["refused"] = row.value(
        "SELECT count(*) FROM effect_attempts WHERE outcome = 'not_done' AND answer = 'ConnectError'"
    )
    row.hit += row.kinds["tls"] + row.kinds["refused"]
    for kind in ("tls", "refused"):
        if not row.kinds[kind]:
            row.misses.append(f"{kind} 没有命中")
    # A gateway's bare 5xx proves nothing: for a text it is an unknown outcome.
    row.held_allowed += row.kinds["sms status"]
    door.close()


ANSWERS_OF_NO = tuple(
    {"match": EVERYWHERE, "do": {"kind": "status", **told}}
    for told in (
        {"status": 503, "code": "not-processed"},
        {"status": 429, "code": "throttled", "retry_after": 1},
        {"status": 401, "code": "signature-expired"},
        {"status": 502},
        {"status": 500},
    )
)


STORED = ("store_then_hang", "store_then_reset", "store_then_close", "store_then_half")


@row(9, "已办成而没有答复", least=45, cases=60)
def answer_lost(row):
    def rules(system):
        share = 0.05 if system == "sms" else 0.12
        return [
            {
                "match": {**EFFECTS, "connection": connection},
                "do": {"kind": kind, "seconds": 4},
                "probability": share,
            }
            for kind in STORED
            for connection in ("fresh", "kept")
        ]

    struck(row, rules)
    row.held_allowed += sum(n for kind, n in row.kinds.items() if kind.startswith("sms "))
    _both_connections(row)


def _both_connections(row):
    for connection in ("fresh", "kept"):
        if not row.matches[connection]:
            row.misses.append(f"没有命中{'新建' if connection == 'fresh' else '保持'}的连接")


@row(10, "每秒一字节，或永不结束", least=20)
def slow(row):
    def rules(system):
        share = 0.04 if system == "sms" else 0.1
        return [
            {"match": EVERYWHERE, "do": {"kind": "drip", "seconds": 1}, "probability": share},
            {"match": EVERYWHERE, "do": {"kind": "before_hang", "seconds": 6}, "probability": share / 2},
        ]

    struck(row, rules, each_s=0.8)
    row.held_allowed += sum(n for kind, n in row.kinds.items() if kind.startswith("sms "))


GARBLED = ("gbk", "half_json", "nan", "deep", "html200")


@row(12, "读不懂的答复", least=40)
def garbled(row):
    def rules(system):
        share = 0.03 if system == "sms" else 0.07
        return [
            {"match": match, "do": {"kind": kind, "store": True, "depth": 2000}, "probability": share}
            for kind in GARBLED
            for match in (EFFECTS, FEEDS)
        ]

    struck(row, rules)
    row.held_allowed += sum(n for kind, n in row.kinds.items() if kind.startswith("sms "))
    # One open row a feed and rule; the next ones of its kind add nothing.
    kept = row.rows(
        "SELECT q.record_key, q.rule, length(r.raw_sealed) AS bytes FROM quarantine q"
        " JOIN inbox_raw r ON r.inbox_id = q.inbox_id WHERE q.kind = 'answer'"
    )
    row.notes["quarantined"] = sorted(each["record_key"] for each in kept)
    if len(kept) < 3 or not all(each["bytes"] for each in kept):
        row.problems.append(f"读不懂的答复没有留下原始内容：{kept}")
