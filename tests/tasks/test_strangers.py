"""A result never attaches to somebody else: other holders, other departments, parties without a code."""

from datetime import timedelta

import pytest_asyncio

from tasks.steps import admit_cases, admit_feedback, send_pushes
from tests.tasks.records import LABOUR, NOW, case, feedback, granted, party, serial


@pytest_asyncio.fixture(loop_scope="session")
async def labour(world):
    """The labour department's code."""
    city = world.services.city
    return city.route(city.item(LABOUR).duties[0], "430903").code


async def two_holders(world):
    """Two granted cases of different parties whose licences bear one number."""
    first, second = serial(), serial()
    later = (NOW + timedelta(hours=1)).isoformat()
    await world.arrive(
        granted(first, version=1, licence_number="同号1"),
        granted(second, version=1, licence_number="同号1", accepted_at=later),
    )
    await world.run(admit_cases, send_pushes)
    return first, second


async def rules(world):
    return await world.column("SELECT rule FROM quarantine WHERE released_at IS NULL")


async def feedback_cases(world):
    return await world.column("SELECT c.case_no FROM feedback f LEFT JOIN cases c ON c.id = f.case_id")


async def test_a_licence_number_is_the_named_partys(world, labour):
    first, _ = await two_holders(world)
    who = {name: party(first)[name] for name in ("name", "id_number")}
    measure = {"case_no": None, "licence_number": "同号1", "measures": ["吊销"]}
    await world.report(feedback(serial(), labour, kind="measure", party=who, **measure))
    await world.run(admit_feedback)
    rows = await world.rows("SELECT c.case_no, l.state FROM licences l JOIN cases c ON c.id = l.case_id")
    revoked = [row["case_no"] for row in rows if row["state"] == "revoked"]
    assert revoked == [case(first)["case_no"]]


async def test_a_number_of_several_holders_without_a_party_is_a_persons_to_decide(world, labour):
    await two_holders(world)
    await world.report(feedback(serial(), labour, case_no=None, licence_number="同号1"))
    await world.run(admit_feedback)
    assert await rules(world) == ["orphan"]
    assert await feedback_cases(world) == []


async def test_a_licence_of_somebody_else_is_not_the_named_partys(world, labour):
    await two_holders(world)
    who = {name: party(serial())[name] for name in ("name", "id_number")}
    await world.report(feedback(serial(), labour, case_no=None, licence_number="同号1", party=who))
    await world.run(admit_feedback)
    assert await rules(world) == ["orphan"]


async def test_parties_without_a_code_are_nobody_in_particular(world, labour):
    number = serial()
    await world.arrive(granted(number, version=1, party=party(number) | {"id_number": "无"}))
    await world.run(admit_cases, send_pushes)
    stranger = {"name": "益阳市拟别家有限公司", "id_number": "无"}
    await world.report(feedback(serial(), labour, case_no=None, item_code=LABOUR, party=stranger))
    await world.run(admit_feedback)
    assert await rules(world) == ["orphan"]


async def test_a_receipt_in_another_departments_hand_proves_nothing(world):
    number = serial()
    await world.arrive(granted(number, version=1))
    await world.run(admit_cases, send_pushes)
    receipt = await world.value("SELECT receipt_number FROM effects WHERE channel = 'push'")
    stranger = next(d.code for d in world.services.city.departments.values() if d.unit == "fire")
    await world.report(feedback(number, stranger, push_receipt=receipt))
    await world.run(admit_feedback)
    assert await rules(world) == ["wrong-department"]
    assert await feedback_cases(world) == []


async def test_a_newer_version_that_names_another_case_moves_there(world, labour):
    wrong, right = serial(), serial()
    await world.arrive(granted(wrong, version=1), granted(right, version=1))
    await world.run(admit_cases, send_pushes)
    await world.report(feedback(wrong, labour))
    await world.run(admit_feedback)
    await world.report(feedback(wrong, labour, version=2, case_no=case(right)["case_no"]))
    await world.run(admit_feedback)
    assert await feedback_cases(world) == [case(right)["case_no"]]
    await world.at(NOW + timedelta(days=30))
    await world.run()
    rows = await world.rows("SELECT c.case_no, h.reason FROM handovers h JOIN cases c ON c.id = h.case_id")
    reasons = {row["case_no"]: row["reason"] for row in rows}
    assert reasons == {
        case(wrong)["case_no"]: "no_abnormal_news",
        case(right)["case_no"]: "feedback_received",
    }


async def test_a_result_that_came_before_its_case_waits_for_it(world, labour):
    number = serial()
    await world.report(feedback(number, labour), feedback(serial(), labour))
    await world.run(admit_feedback)
    assert await rules(world) == ["orphan", "orphan"]
    await world.arrive(granted(number, version=1))
    await world.run(admit_cases, admit_feedback, admit_feedback)
    assert await rules(world) == ["orphan"]
    assert await feedback_cases(world) == [case(number)["case_no"]]
    assert await world.column("SELECT released_by FROM quarantine WHERE released_at IS NOT NULL") == [
        "系统自动"
    ]
