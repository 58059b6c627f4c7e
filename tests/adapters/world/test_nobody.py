"""Numbers and names pass every check and can belong to nobody."""

import re
from collections import Counter
from typing import Any

from stdnum.cn import ric, uscc

from adapters.sandbox.world import identity
from adapters.sandbox.world.build import World
from models.domain.party_codes import check_id_card, check_uscc, clean_code
from tests.adapters.world.reading import Versions


def people(world: World, versions: Versions) -> list[dict[str, Any]]:
    return [record["party"] for records in versions.values() for record in records]


def test_codes_pass_every_check_but_the_broken_ones(world: World, versions: Versions) -> None:
    broken = dirty = 0
    for records in versions.values():
        party = records[0]["party"]
        number = clean_code(party["id_number"])
        dirty += number != party["id_number"]
        person = party["id_type"] == "身份证"
        rule = check_id_card(number) if person else check_uscc(number)
        if rule:
            assert rule in {"uscc-check", "id-check"}
            broken += 1
        elif person:
            assert ric.is_valid(number)
        elif number[:2].isdigit():  # stdnum does not know that N… and Y… codes exist
            assert uscc.is_valid(number)
    assert broken == world.world["seeded"]["broken_credit_code"] + world.world["seeded"]["broken_id_number"]
    assert dirty == world.world["seeded"]["dirty_code"]


def test_nothing_can_belong_to_anybody(world: World, versions: Versions) -> None:
    for party in people(world, versions):
        number = clean_code(party["id_number"])
        assert number[8:11] == "PDY" if party["id_type"] != "身份证" else number.startswith("710000")
        assert re.fullmatch(r"154\d{8}", party["phone"])
        assert "拟" in party["name"]
        assert "拟" in party["contact"]
        assert "拟" in party["address"]
    for liaison in world.liaisons:
        assert liaison["phone"] is None or re.fullmatch(r"154\d{8}", liaison["phone"])
        assert "拟" in liaison["name"]
    phones = {party["phone"] for party in people(world, versions)}
    assert phones.isdisjoint(liaison["phone"] for liaison in world.liaisons)


def test_invented_numbers_never_meet() -> None:
    many = 60_000
    persons = [identity.person_number(serial) for serial in range(many)]
    assert len(set(persons)) == many
    assert len({identity.party_code("91", serial) for serial in range(200_000)}) == 200_000
    assert all(ric.is_valid(number) for number in persons[::997])


def test_parties_are_of_every_kind_and_come_again(versions: Versions) -> None:
    parties = [records[0]["party"] for records in versions.values()]
    assert set(Counter(party["kind"] for party in parties)) == {"法人及非法人组织", "自然人", "个体工商户"}
    assert all((party["legal_person"] is None) == (party["kind"] == "自然人") for party in parties)
    assert Counter(party["id_number"] for party in parties).most_common(1)[0][1] >= 5
