"""A target that dies is one run with what waits behind it, and is over when it answers again."""

import re

from tests.ui.seen import BROWSER, ask, new_record, picture, search_run

pytestmark = BROWSER

DEAD = [{"match": {"method": "POST", "path_regex": "^/v1/pushes$"}, "do": {"kind": "before_close"}}]
SHOWN = """
SELECT m.flow_run_id, i.id, i.key FROM incidents i JOIN mirror_incidents m ON m.key = 'incident:' || i.id
WHERE i.kind = 'breaker_open' AND i.closed_at IS NULL AND m.flow_run_id IS NOT NULL AND m.shown IS NOT NULL
"""
OVER = "SELECT 1 FROM mirror_incidents WHERE key = 'incident:' || %s AND closed_at IS NOT NULL"
WAITS = """
SELECT c.case_no FROM effects e JOIN cases c ON c.id = e.case_id
WHERE e.channel = 'push' AND e.state IN ('planned', 'unknown') AND %s IN ('platform', 'platform/' || e.target)
ORDER BY e.planned_at, e.own_id
"""


def test_a_dead_target_is_one_run_and_ends_when_it_heals(standing, page) -> None:
    standing.fail(DEAD)
    try:
        standing.publish(*(new_record(standing) for _ in range(4)))
        incident = ask(standing, SHOWN)
        ask(standing, WAITS, incident["key"])
        search_run(page, standing, "不可达")
        picture(page, "incidents-found")
        page.goto(f"{standing.ui}/runs/flow-run/{incident['flow_run_id']}")
        page.get_by_text("待处理").first.wait_for()
        assert page.get_by_text("不可达").count() > 0
        picture(page, "dead-target")
        page.get_by_text("Artifacts", exact=True).first.click()
        page.get_by_text(re.compile("项对外动作在等，涉及办件")).first.wait_for()
        picture(page, "what-waits-behind-it")
    finally:
        standing.fail([])
    ask(standing, OVER, incident["id"])
    page.goto(f"{standing.ui}/runs/flow-run/{incident['flow_run_id']}")
    page.get_by_text("已了结").first.wait_for()
    picture(page, "healed")
