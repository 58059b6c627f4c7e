"""What the credit system knows, and who hears of a push."""

from collections import Counter, defaultdict

from adapters.sandbox.world.build import World
from config.city import City
from models.domain.party_codes import clean_code
from tests.adapters.world.reading import Versions


def test_the_credit_system_knows_every_party_but_a_few(world: World, versions: Versions) -> None:
    known = {row["id_number"]: row for row in world.credit_parties}
    assert {row["grade"] for row in known.values()} == {"good", "ordinary", "bad"}
    assert all(bool(row["records"]) == (row["grade"] != "ordinary") for row in known.values())
    strangers = [row for row in known.values() if not row["known"]]
    assert len(strangers) == world.world["seeded"]["unknown_subject"]
    applied = {clean_code(records[0]["party"]["id_number"]) for records in versions.values()}
    assert {row["id_number"] for row in strangers} <= applied
    broken = world.world["seeded"]["broken_credit_code"] + world.world["seeded"]["broken_id_number"]
    assert len(applied - set(known)) == broken


def test_credit_records_are_entered_removed_and_repaired(world: World) -> None:
    records = [line["record"] for line in world.credit_records]
    assert {record["operation"] for record in records} == {"entry", "removal", "repair"}
    entered = {record["record_no"] for record in records if record["operation"] == "entry"}
    assert all(record["record_no"] in entered for record in records)
    keys = Counter((record["record_no"], record["version"]) for record in records)
    assert max(keys.values()) == 2, "one entry comes twice"
    order = [(record["record_no"], record["version"]) for record in records]
    assert any(order.index(key) < order.index((key[0], 1)) for key in order if key[1] == 2)


def test_rosters_have_the_gaps_of_real_ones(world: World, city: City) -> None:
    seats = defaultdict(list)
    for liaison in world.liaisons:
        department = city.department(liaison["department"])
        assert department is not None
        assert department.section(liaison["section"]) is not None
        seats[liaison["department"], liaison["section"]].append(liaison)
    assert len(seats) == sum(len(each.sections) for each in city.departments.values())
    silent = [seat for seat, found in seats.items() if not any(each["phone"] for each in found)]
    assert len(silent) == 1
    assert len(seats[silent[0]]) == 1
    backed = [found for found in seats.values() if found[0]["phone"] is None and len(found) > 1]
    assert len(backed) == 1
    assert [each["rank"] for each in backed[0]] == [1, 2]
    by_phone = defaultdict(set)
    for liaison in world.liaisons:
        if liaison["phone"]:
            by_phone[liaison["phone"]].add((liaison["department"], liaison["name"]))
    shared = [found for found in by_phone.values() if len(found) > 1]
    assert len(shared) == 1
    assert len({name for _, name in shared[0]}) == 1
    expired = [each for each in world.liaisons if each["valid_to"]]
    assert len(expired) == 1
    newer = [each for each in seats[expired[0]["department"], expired[0]["section"]] if each["rank"] == 1][1]
    assert expired[0]["valid_to"] < newer["valid_from"]
    assert len({each["id"] for each in world.liaisons}) == len(world.liaisons)
