"""The example on the page, computed by the second verifier from the page's own words."""

import hmac
import json
import re
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from models.domain.messages import CHANNELS, RECORD_KINDS, SYSTEMS
from models.evidence.index import OUTCOMES
from models.ledger.data_keys import DataKeys, new_secret
from models.ledger.shrinking import DICTIONARY
from tests.outside import evidence_check as check

PAGE = Path(__file__).parents[2] / "docs" / "evidence.md"


def test_its_words_are_those_of_both_verifiers():
    said = re.search(r"```text\n(channel .*?)```", PAGE.read_text("utf-8"), re.DOTALL)[1]
    words = {tuple(line.split()[:2]): line.split()[2] for line in said.splitlines()}
    ours = {"channel": CHANNELS, "system": SYSTEMS, "record": RECORD_KINDS, "outcome": OUTCOMES}
    assert words == check.WORDS == {(of, code): word for of in ours for code, word in ours[of].items()}


def test_its_dictionary_is_the_one_it_names_and_the_one_that_is_used():
    page = PAGE.read_text("utf-8")
    said = re.search(r"`03` is this one line.*?(\d+) bytes, SHA-256\n`([0-9a-f]{64})`", page, re.DOTALL)
    assert _dictionary() == DICTIONARY
    assert (len(DICTIONARY), sha256(DICTIONARY).hexdigest()) == (int(said[1]), said[2])


@pytest.mark.parametrize("algorithm", ["aes-256-gcm", "sm4-gcm"])
@pytest.mark.parametrize(("plain", "version"), [(b'{"case_no":"A-1","department":""}', 3), (b"\0\xff", 2)])
def test_sealed_bytes_open_by_the_page_alone(algorithm, plain, version):
    secret, key = new_secret(algorithm), UUID(int=7)
    keys = DataKeys()
    keys.learn(key, algorithm, secret)
    sealed = keys.seal(key, "inbox.raw", "PSX", plain)
    salt = keys.salt(key.bytes, "inbox.raw", "PSX")
    assert sealed[0] == version
    assert check.opened(sealed, secret, "inbox.raw", "PSX", _dictionary()) == (plain, salt)


def _dictionary():
    return re.search(r"```text\n(综.*?)\n```", PAGE.read_text("utf-8"), re.DOTALL)[1].encode()


@pytest.fixture(scope="module")
def example():
    return json.loads(re.search(r"```json\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[1])


def test_its_leaves_have_their_hashes_and_stand_under_its_heads(example):
    hashes = [check.leaf_hash(leaf) for leaf in example["leaves"]]
    assert [each.hex() for each in hashes] == example["leaf_hashes"]
    for head in example["heads"]:
        assert check.tree_root(hashes[: head["size"]]).hex() == head["root"]
    proof = [bytes.fromhex(each) for each in example["proof_of_position_1"]]
    assert check.root_by_path(1, 3, hashes[1], proof).hex() == example["heads"][1]["root"]


def test_its_heads_are_signed_and_follow_each_other(example):
    public = load_pem_public_key(example["public_key"].encode())
    first, second = example["heads"]
    assert check.wrong_signature(first, public) is None
    assert check.wrong_signature(second, public) is None
    assert check.wrong_signature(second | {"size": 4}, public)
    assert (first["previous"], second["previous"]) == ("00" * 32, check.head_digest(first))


def test_its_bytes_are_what_its_leaves_say(example):
    inward, intent, answer = (json.loads(leaf) for leaf in example["leaves"])
    salted = hmac.new(bytes.fromhex(example["salt"]), example["plain"].encode(), "sha256").hexdigest()
    assert inward["commitment"] == intent["commitment"] == salted
    assert inward["sealed"] == sha256(example["sealed"].encode()).hexdigest()
    assert check.own_id("push", example["business_key"], example["content_version"]) == intent["own_id"]
    assert answer["own_id"] == intent["own_id"]


def test_its_older_head_is_the_beginning_of_its_newer(example):
    """Of two and three leaves the proof is the third leaf's hash alone."""
    (third,) = example["consistency_2_to_3"]
    old = bytes.fromhex(example["heads"][0]["root"])
    assert third == example["leaf_hashes"][2]
    assert sha256(b"\1" + old + bytes.fromhex(third)).hexdigest() == example["heads"][1]["root"]
