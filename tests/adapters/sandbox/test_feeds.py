"""Feeds: everything due is seen by who reads to the end, whatever order the pages come in."""

import json


def record(n, hour=0):
    at = f"2026-03-{1 + n // 24:02d}T{n % 24:02d}:00:00+08:00"
    return {"at": at, "record": {"case_no": f"A-{n}", "data_version": 1}}


def read(sim, cursor="", limit=50, path="/v1/cases/changes"):
    """All pages from the cursor on: items, the cursors passed, pages."""
    items, cursors, pages = [], [cursor], []
    while True:
        status, page = sim.call("GET", f"{path}?cursor={cursor}&limit={limit}")
        assert status == 200, page
        items += page["items"]
        pages.append(page["items"])
        cursor = page["next_cursor"]
        cursors.append(cursor)
        if not page["has_more"]:
            return items, cursors, pages


def numbers(items):
    return [int(item["case_no"][2:]) for item in items]


def test_who_reads_to_the_end_and_again_from_an_older_cursor_sees_everything(simulator, world):
    world(feed_cases=[record(n) for n in range(600)], world={"seed": 5, "disorder": 3})
    sim = simulator("platform")
    sim.clock("2026-04-30T00:00:00+08:00")
    items, cursors, pages = read(sim)
    again, _, _ = read(sim, cursors[-3])
    seen = set(numbers(items)) | set(numbers(again))
    assert seen == set(range(600))
    assert len(set(numbers(items))) > 590
    assert any(numbers(page) != sorted(numbers(page)) for page in pages)
    assert len(numbers(items)) != len(set(numbers(items)))
    published = [json.loads(line) for line in sim.feed.read_text().splitlines()]
    assert len(published) == 600
    met = list(dict.fromkeys(numbers(items)))
    assert [n for n in numbers(line["record"] for line in published) if n in set(met)] == met
    assert set(published[0]) == {"feed", "published_at", "machine_at", "row", "record"}


def test_a_record_of_the_last_page_may_be_missing_once_only(simulator, world):
    world(feed_cases=[record(n) for n in range(60)], world={"seed": 5, "disorder": 20})
    sim = simulator("platform")
    sim.clock("2026-04-30T00:00:00+08:00")
    first, cursors, _ = read(sim)
    second, _, _ = read(sim, cursors[-2])
    assert set(numbers(first)) < set(range(60))
    assert set(numbers(first)) | set(numbers(second)) == set(range(60))


def test_only_what_is_due_by_the_business_clock_is_shown(simulator, world):
    world(feed_cases=[record(n) for n in range(48)], world={"seed": 1, "disorder": 0})
    sim = simulator("platform")
    sim.clock("2026-03-01T11:30:00+08:00")
    items, cursors, _ = read(sim)
    assert numbers(items) == list(range(12))
    assert len(sim.feed.read_text().splitlines()) == 12
    sim.clock("2026-03-01T13:30:00+08:00")
    items, cursors, _ = read(sim, cursors[-1])
    assert numbers(items) == [12, 13]
    sim.stop()
    sim.start()
    # it kept its clock: with the machine's it would show all its world at once
    assert read(sim, cursors[-1])[0] == []
    sim.clock("2026-03-01T15:30:00+08:00")
    items, _, _ = read(sim, cursors[-1])
    assert numbers(items) == [14, 15]


def test_the_clock_runs_at_its_rate(simulator):
    sim = simulator("platform")
    anchor = {"anchor_machine": "2026-01-01T00:00:00+08:00", "anchor_business": "2026-01-01T00:00:00+08:00"}
    frozen = sim.control("/_sim/clock", anchor | {"rate": 0})["business_now"]
    assert frozen == "2026-01-01T00:00:00.000+08:00"
    assert sim.control("/_sim/clock", anchor | {"rate": 100})["business_now"] > "2030"


def test_records_that_are_no_records_travel_as_they_are(simulator, world):
    odd = ["text", None, {"case_no": "\ud800"}, {"case_no": "a\x00b"}, {"case_no": float("nan")}]
    world(feed_cases=[record(0) | {"record": value} for value in odd], world={"seed": 1, "disorder": 0})
    sim = simulator("platform")
    sim.clock("2026-04-01T00:00:00+08:00")
    items, _, _ = read(sim)
    assert items[:4] == odd[:4]
    sim.stop()
    sim.start()
    again, _, _ = read(sim)
    assert again[:4] == odd[:4]


def test_a_cursor_that_was_never_given_is_malformed(simulator, world):
    world(feed_cases=[record(0)])
    sim = simulator("platform")
    for cursor in ("nonsense", "Y2FzZXM6OTk"):
        assert sim.call("GET", f"/v1/cases/changes?cursor={cursor}")[1]["code"] == "malformed"
    assert sim.call("GET", "/v1/cases/changes?limit=501")[0] == 422


def test_departments_answer_a_push_by_business_time_also_after_a_restart(simulator, world, lib):
    def answer(hours, number, stage="completion", **about):
        about = {"feedback_no": number, "version": 1, "operation": "i", "department": lib.department, **about}
        return {
            "case_no": "A-1",
            "department": lib.department,
            "supervision_item": "12345678901234",
            "stage": stage,
            "after_hours": hours,
            "record": about,
        }

    world(
        answers=[
            answer(2, "F1", stage="acceptance", kind="read"),
            answer(48, "F2", kind="inspection", result="不符合"),
            answer(1, "F3", kind="inspection") | {"case_no": "A-2"},
        ],
        world={"seed": 1, "disorder": 0},
    )
    sim = simulator("platform")
    sim.clock("2026-03-02T10:00:00+08:00")
    first = lib.push()
    _, told = sim.call("POST", "/v1/pushes", first, own_id=first["own_id"])
    second = lib.push(stage="completion", result="准予")
    sim.call("POST", "/v1/pushes", second, own_id=second["own_id"])
    path = "/v1/feedback/changes"
    assert read(sim, path=path)[0] == []
    sim.clock("2026-03-02T12:30:00+08:00")
    items, cursors, _ = read(sim, path=path)
    assert [(item["feedback_no"], item["push_receipt"]) for item in items] == [
        ("F1", told["receipt"]["number"])
    ]
    assert items[0]["happened_on"] == "2026-03-02"
    assert items[0]["changed_at"].startswith("2026-03-02T12:00:00")
    sim.call("POST", "/v1/pushes", first, own_id=first["own_id"])
    sim.stop()
    sim.start()
    sim.clock("2026-03-05T10:00:00+08:00")
    items, _, _ = read(sim, cursors[-1], path=path)
    assert [(item["feedback_no"], item["push_receipt"]) for item in items] == [("F2", None)]
    assert len(sim.feed.read_text().splitlines()) == 2
