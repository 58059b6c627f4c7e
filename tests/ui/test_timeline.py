"""A case is found by its number, and its log page tells what has happened to it so far."""

import re

from tests.ui.seen import BROWSER, ask, picture, search_run

pytestmark = BROWSER

CLAIMED = """
SELECT c.case_no, c.item_name FROM cases c JOIN mirror m ON m.case_id = c.id
WHERE m.dirty_since IS NULL AND m.told_due IS NULL
AND EXISTS (SELECT FROM handovers h WHERE h.case_id = c.id AND h.claimed_at IS NOT NULL)
"""


def test_the_log_page_is_the_cases_timeline(standing, page) -> None:
    case = ask(standing, CLAIMED)
    found = search_run(page, standing, case["case_no"])
    found.click()
    page.get_by_text(f"{case['case_no']} · {case['item_name']}").first.wait_for()
    for line in (f"收到办件 {case['case_no']}", "监管，待推送", "对方接收", "推送已到达", "已认领，责任在"):
        page.get_by_text(re.compile(re.escape(line))).first.wait_for()
    page.get_by_text(f"shenguan case show {case['case_no']}").first.wait_for()
    picture(page, "timeline")
