"""A case is found by its number, and its log page tells what has happened to it so far."""

from tests.ui.seen import BROWSER, ask, new_record, picture, refused_case, rows, search_run

pytestmark = BROWSER

CLAIMED = """
SELECT c.id, c.item_name FROM cases c JOIN mirror m ON m.case_id = c.id
WHERE c.case_no = %s AND m.dirty_since IS NULL AND m.told_due IS NULL
AND EXISTS (SELECT FROM handovers h WHERE h.case_id = c.id AND h.claimed_at IS NOT NULL)
"""
HAPPENED = "SELECT count(*) FROM history WHERE case_id = %s"


def test_the_log_page_is_the_cases_timeline(standing, page) -> None:
    record = new_record(standing)
    number = record["case_no"]
    standing.publish(record)
    case = ask(standing, CLAIMED, number)
    happened = rows(standing, HAPPENED, case["id"])[0][0]
    search_run(page, standing, number).click()
    page.get_by_text(f"{number} · {case['item_name']}").first.wait_for()
    page.get_by_text("已认领，责任在").first.wait_for()
    lines = page.locator(".log-row__content").all_text_contents()
    # what one commit tells, the handover and its push, stands in either order
    arrived = next(line for line in lines if "推送已到达" in line or "对方接收，回执" in line)
    expected = [f"收到办件 {number}", "监管，待推送", arrived, "已认领，责任在"]
    assert any("推送已到达" in line for line in lines)
    assert any("对方接收，回执" in line for line in lines)
    told = [next((at for at, line in enumerate(lines) if word in line), None) for word in expected]
    assert None not in told, lines
    assert told == sorted(told), "in the order in which it happened"
    assert f"全貌：shenguan case show {number}" in lines[told[0]]
    assert happened <= len(set(lines)) == len(lines), "every line of the history, once"
    picture(page, "timeline")


def test_cases_of_a_kind_are_found_by_a_word_and_what_needs_a_person_is_red(standing, page) -> None:
    records = [new_record(standing) for _ in range(2)]
    standing.publish(*records)
    refused = refused_case(standing)
    for record in records:
        ask(standing, CLAIMED, record["case_no"])
    standing.mend(refused["case_no"])
    search_run(page, standing, "劳务派遣")
    listed = page.get_by_role("link")
    for number in (refused["case_no"], *(record["case_no"] for record in records)):
        listed.filter(has_text=number).first.wait_for()
    page.get_by_text("推送被拒").first.wait_for()
    page.get_by_text("已受理").first.wait_for()
    picture(page, "runs-of-a-kind")
