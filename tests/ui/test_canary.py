"""No id, phone, name or address of anybody gets into Prefect, a log or a file, whatever dies or is repeated.

People who are called as nobody else is are the canaries. First they are shown to be where they belong: in our
ledger once its seals are opened, and in the other sides' books. Then everything is done that an operator, a
failure or a crash can do; then they are looked for. It runs last: what the other tests did is looked through.
"""

import base64
import json
import os
import re
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from adapters.prefect_api.client import PrefectApi
from adapters.sandbox.world.identity import mobile, party_code, person_number
from adapters.stack.postgres_account import embedded_binaries
from models.ledger.connection import Ledger
from models.ledger.keyring import Keyring
from models.ledger.queries import data_keys
from models.ledger.sealing import Sealing
from tasks.evidence.subjects import RAW_FIELD
from tests.tasks.records import UNKNOWN, feedback, granted
from tests.ui.seen import (
    BUSINESS_NOW,
    ask,
    deployment,
    desk_page,
    elsewhere,
    ended,
    new_record,
    over_the_wire,
    pushes_of,
    refused_case,
    rows,
    wait,
)

pytestmark = [pytest.mark.browser, pytest.mark.stack]

OF_A_PARTY = ("name", "id_number", "legal_person", "contact", "phone", "address")
FLOCK = range(7_310_001, 7_310_009)
STRAYED = {"case_no": 7_310_011, "item_code": 7_310_012, "feedback_no": 7_310_013}
LOST = {"match": {"method": "POST", "path_regex": "^/sms"}, "do": {"kind": "store_then_reset"}, "times": 1}
DEAD = {"match": {"method": "POST", "path_regex": "^/v1/pushes$"}, "do": {"kind": "before_close"}}
TARGET = "01439100002800"
DRAWN = (
    "SELECT m.flow_run_id FROM mirror m JOIN cases c ON c.id = m.case_id"
    " WHERE c.case_no = %s AND m.shown IS NOT NULL AND m.flow_run_id IS NOT NULL AND m.dirty_since IS NULL"
)


def canary(number):
    """A party that is called, and lives, as nobody else."""
    return {
        "name": f"益阳市金雀{number}号拟测有限公司",
        "kind": "法人及非法人组织",
        "id_type": "统一社会信用代码",
        "id_number": party_code("91", number),
        "legal_person": f"欧阳金雀甲{number}",
        "contact": f"上官金雀乙{number}",
        "phone": mobile(number),
        "address": f"湖南省益阳市赫山区金雀巷{number}号",
    }


def canaries(standing):
    """By class, what must be nowhere; each is long enough to be nobody else's."""
    flock = [canary(number) for number in FLOCK]
    found = {name: {party[name] for party in flock} for name in OF_A_PARTY}
    found["strayed"] = {strayed(field) for field in STRAYED}
    people = json.loads(Path(standing.roster).read_text(encoding="utf-8"))
    found["liaison"] = {person["name"] for person in people}
    found["liaison_phone"] = {person["phone"] for person in people if person.get("phone")}
    assert all(len(each) >= 8 for birds in found.values() for each in birds)
    return found


def strayed(field):
    """A person's own number where a matter's is expected."""
    return mobile(STRAYED[field]) if field == "feedback_no" else person_number(STRAYED[field])


def text_of(*paths):
    return "\n".join(Path(path).read_text(encoding="utf-8", errors="replace") for path in paths)


def accepted(standing, number, **changes):
    """A canary's case, published, with its push accepted: its number."""
    record = new_record(standing, party=canary(number), **changes)
    standing.publish(record)
    ask(standing, "SELECT 1 FROM effects e JOIN cases c ON c.id = e.case_id WHERE c.case_no = %s"
                  " AND e.channel = 'push' AND e.state = 'accepted'", record["case_no"])  # fmt: skip
    return record["case_no"]


def test_nobody_is_in_prefect_or_in_any_log(standing, operators):
    flock = iter(FLOCK)
    birds = canaries(standing)
    begun = accepted(standing, next(flock))
    standing.publish(whole(standing, next(flock)))
    refused = refused_case(standing, party=canary(next(flock)))
    put_in_front_of_people(standing, flock)
    where_they_belong(standing, birds)
    do_everything(standing, operators, begun, refused)
    wait("the desk with what stopped", lambda: UNKNOWN in desk_page(standing, "desk-4-matters"))
    wait("an alert", lambda: "新事件单" in text_of(Path(standing.folder) / "alerts.jsonl"))
    every = sorted(each for some in birds.values() for each in some)
    nowhere_in_prefect(standing, every, begun)
    nowhere_in_files(standing, every)


def whole(standing, number):
    """A canary's case that was granted: it is reported to the credit system."""
    now = rows(standing, BUSINESS_NOW)[0][0]
    record = granted(0, version=1, at=now, party=canary(number))
    return record | {"case_no": new_record(standing)["case_no"], "accepted_at": now.isoformat()}


def put_in_front_of_people(standing, flock):
    """A quarantined record, an unknown item, a feedback of nobody, persons' numbers in place of matters'."""
    wrong = new_record(standing, party=canary(next(flock)), status="77")
    unknown = new_record(standing, party=canary(next(flock)), item=UNKNOWN)
    standing.publish(wrong, unknown)
    stray = feedback(99_999_001, TARGET, summary=f"现场见{canary(next(flock))['legal_person']}在内")
    standing.publish(stray, feed="feedback")
    standing.publish(*(new_record(standing) | {name: strayed(name)} for name in ("case_no", "item_code")))
    named = feedback(99_999_002, TARGET, feedback_no=strayed("feedback_no"))
    standing.publish(named, feed="feedback")
    ask(standing, "SELECT 1 FROM quarantine WHERE message LIKE '%%疑似自然人%%' HAVING count(*) = %s", 3)
    for number in (wrong["case_no"], stray["feedback_no"]):
        ask(standing, "SELECT 1 FROM quarantine WHERE record_key = %s", number)
    ask(standing, "SELECT 1 FROM incidents WHERE kind = 'unknown_item' AND key = %s", UNKNOWN)


def where_they_belong(standing, birds):
    """Each class is in our ledger, once opened, and in the other sides' own books."""
    ask(standing, "SELECT 1 FROM effects e JOIN cases c ON c.id = e.case_id WHERE e.channel = 'credit_report'"
                  " AND e.state = 'accepted' LIMIT 1")  # fmt: skip
    ask(
        standing, "SELECT 1 FROM effects WHERE channel = 'sms' AND state IN ('accepted', 'delivered') LIMIT 1"
    )
    raws, people = elsewhere(opened(standing))
    for name in OF_A_PARTY:
        assert sum(bird in raws for bird in birds[name]) >= 5, f"{name} in our ledger"
    assert all(bird in raws for bird in birds["strayed"]), "strayed in our ledger"
    for name in ("liaison", "liaison_phone"):
        assert all(bird in people for bird in birds[name]), f"{name} in our ledger"
    theirs = text_of(standing.platform)
    for name in OF_A_PARTY:
        assert any(bird in theirs for bird in birds[name]), f"{name} on the platform"
    assert any(bird in text_of(standing.credit) for bird in birds["id_number"]), "in the credit system"
    assert any(bird in text_of(standing.sms) for bird in birds["liaison_phone"]), "at the gateway"


async def opened(standing):
    """Every record as it came, and every liaison, out of their seals."""
    sealing = Sealing(Keyring.load(Path(standing.folder) / "keys" / "seal.json"))
    async with Ledger.open(standing.ledger, max_size=1) as ledger, ledger.reading() as conn:
        raws = await (await conn.execute("SELECT inbox_id, raw_sealed FROM inbox_raw")).fetchall()
        people = await (await conn.execute("SELECT id, name_sealed, phone_sealed FROM liaisons")).fetchall()
        await data_keys.load(conn, sealing, [row["raw_sealed"] for row in raws])
    told = [sealing.open_sealed(RAW_FIELD, row["inbox_id"], row["raw_sealed"]) for row in raws]
    named = [
        sealing.open_sealed(f"liaisons.{column}", row["id"], row[f"{column}_sealed"])
        for row in people
        for column in ("name", "phone")
        if row[f"{column}_sealed"]
    ]
    return b"\n".join(told).decode(errors="replace"), b"\n".join(named).decode()


def do_everything(standing, operators, begun, refused):
    """Whatever an operator, a failure or a crash can do."""
    crash(standing, "dispatcher")
    crash(standing, "worker")
    retry(standing, rows(standing, DRAWN, begun)[0][0])
    standing.mend(refused["case_no"])
    for dry in (True, False):
        form = {"limit": 500, "dry_run": dry, "operator": "值班员丁", "code": operators("值班员丁")()}
        assert run_of(standing, "rerun-failed", form)["name"] in {"试算完成", "已重试"}
    wait("the push", lambda: pushes_of(standing, refused["own_id"]))
    release_a_held_text(standing, operators)
    standing.fail([DEAD])
    standing.publish(*(new_record(standing, party=canary(number)) for number in FLOCK[-2:]))
    dead = "SELECT 1 FROM incidents WHERE kind = 'breaker_open' AND closed_at IS NULL"
    ask(standing, dead)
    standing.fail([])
    wait("healed", lambda: not rows(standing, dead))
    assert run_of(standing, "reconcile", {})["type"] == "COMPLETED"
    for name in ("sweep", "desk", "housekeeping"):
        assert run_of(standing, name, {})["type"] == "COMPLETED", name


def release_a_held_text(standing, operators):
    """A text whose answer is lost is held, and goes once more by two people."""
    standing.fail([LOST], system="sms")
    standing.publish(new_record(standing, party=canary(FLOCK[0])))
    held = ask(standing, "SELECT own_id FROM effects WHERE channel = 'sms' AND state = 'held'")["own_id"]
    standing.fail([], system="sms")
    for name in ("值班员戊", "值班员己"):
        form = {"own_id": held, "operator": name, "code": operators(name)()}
        assert run_of(standing, "release-held", form)["name"] in {"已申请", "已放行"}
    ask(standing, "SELECT 1 FROM effects WHERE own_id = %s AND state IN ('accepted', 'delivered')", held)


def run_of(standing, name, parameters):
    """The state in which a run of this deployment ended."""
    place = f"/deployments/{deployment(standing, name)}/create_flow_run"
    run = over_the_wire(standing, place, {"parameters": parameters, "state": {"type": "SCHEDULED"}})
    return ended(standing, name, id=run["id"])["state"]


def crash(standing, name):
    """What a launcher has started dies at once, and is there again."""
    launcher = psutil.Process(wait(name, lambda: launched(standing, name)))
    child = wait("its child", launcher.children)[0]
    os.kill(child.pid, signal.SIGKILL)
    wait(f"another {name}", lambda: launched(standing, name) not in {None, launcher.pid})


def launched(standing, name):
    """The process that launched this program, as the supervisor notes it; None while it does not."""
    try:
        noted = json.loads((Path(standing.folder) / "pids.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return noted.get(name, {}).get("pid")


def retry(standing, run):
    """A Retry by Prefect's own engine, in the worker."""

    async def click():
        async with PrefectApi(f"{standing.ui}/api", auth=standing.login) as prefect:
            await prefect.retry_run(run)

    elsewhere(click())
    body = {"flow_runs": {"id": {"any_": [str(run)]}}}
    wait("the retry's tasks", lambda: over_the_wire(standing, "/task_runs/filter", body))


def nowhere_in_prefect(standing, birds, number):
    """Every column of its database, the desk's pictures, and what its API answers."""
    dump = subprocess.run(
        [embedded_binaries() / "pg_dump", "--data-only", "--inserts", standing.prefect],
        capture_output=True,
        check=True,
    ).stdout.decode()
    for table in ("flow_run", "flow_run_state", "task_run", "log", "artifact", "events", "automation"):
        assert f"INSERT INTO public.{table} " in dump, "the dump holds what is looked through"
    assert number in dump
    assert found(birds, dump) == []
    pictures = re.findall(r"svg\+xml;base64,([\w+/=]+)", dump)
    assert pictures
    assert found(birds, "\n".join(base64.b64decode(data).decode() for data in pictures)) == []
    answered = [
        over_the_wire(standing, f"/{what}/filter", {"limit": 200})
        for what in (
            "flow_runs",
            "task_runs",
            "logs",
            "artifacts",
            "deployments",
            "automations",
            "block_documents",
        )
    ]
    answered.append(over_the_wire(standing, "/events/filter", {"limit": 50}))
    assert all(answered)
    assert found(birds, json.dumps(answered, ensure_ascii=False)) == []


def nowhere_in_files(standing, birds):
    """Output of every program, the journal, alerts, and whatever else lies about."""
    folder = Path(standing.folder)
    theirs = {Path(standing.roster).parent, Path(standing.platform).parent, folder / "keys"}
    looked: dict[str, int] = {}
    for path in folder.rglob("*"):
        if not path.is_file() or any(place in path.parents for place in theirs) or "postgres" in str(path):
            continue
        text = path.read_bytes().decode("utf-8", errors="replace")
        looked[path.relative_to(folder).parts[0]] = looked.get(path.relative_to(folder).parts[0], 0) + len(
            text
        )
        assert found(birds, text) == [], path
    assert looked.get("log", 0) > 1000, looked
    assert any("journal" in name for name in looked), looked
    assert looked["alerts.jsonl"] > 0
    cores = [path for path in folder.rglob("core*") if path.is_file() and path.stat().st_size > 1e6]
    assert cores == [], "no memory of a dead program is left behind"


def found(birds, text):
    """Those that are in the text, as they are or as a JSON text would spell them."""
    return [bird for bird in birds if bird in text or json.dumps(bird)[1:-1] in text]
