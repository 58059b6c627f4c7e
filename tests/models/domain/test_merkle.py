"""The tree against the vectors of RFC 6962's first implementation, and its proofs against all that is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.domain.merkle import (
    EMPTY_ROOT,
    Peaks,
    consistency_proof,
    inclusion_proofs,
    is_consistent,
    leaf_hash,
    node_hash,
    root_from_inclusion,
    root_of,
)

LEAVES = [
    bytes.fromhex(each)
    for each in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
sizes = st.integers(1, 300)


def made(count):
    return [leaf_hash(number.to_bytes(4, "big")) for number in range(count)]


def by_definition(hashes):
    """RFC 9162, 2.1.1, word for word."""
    if not hashes:
        return EMPTY_ROOT
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while 2 * k < len(hashes):
        k *= 2
    return node_hash(by_definition(hashes[:k]), by_definition(hashes[k:]))


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_the_vectors(size):
    assert root_of([leaf_hash(each) for each in LEAVES[:size]]).hex() == ROOTS[size]


@given(sizes)
def test_a_tree_that_grows_is_the_tree_by_definition(size):
    hashes = made(size)
    tree = Peaks.of(hashes[: size // 2])
    grown = Peaks.from_bytes(tree.size, tree.to_bytes())
    for each in hashes[size // 2 :]:
        grown.append(each)
    assert (grown.size, grown.root()) == (size, by_definition(hashes))


def test_peaks_that_fit_no_tree_are_refused():
    with pytest.raises(ValueError, match="2 peaks"):
        Peaks(5, [bytes(32)])


@given(sizes, st.data())
def test_every_leaf_is_proven_and_no_other_place_or_hash_is(size, data):
    hashes = made(size)
    index = data.draw(st.integers(0, size - 1))
    proof, root = inclusion_proofs(hashes, [index])[index], root_of(hashes)
    assert root_from_inclusion(index, size, hashes[index], proof) == root
    other = data.draw(st.integers(0, size).filter(lambda each: each != index))
    assert root_from_inclusion(other, size, hashes[index], proof) != root
    assert root_from_inclusion(index, size, bytes(32), proof) != root
    assert root_from_inclusion(index, size, hashes[index], [*proof, bytes(32)]) != root
    if proof:
        assert root_from_inclusion(index, size, hashes[index], proof[:-1]) != root
        at = data.draw(st.integers(0, len(proof) - 1))
        assert (
            root_from_inclusion(index, size, hashes[index], [*proof[:at], bytes(32), *proof[at + 1 :]])
            != root
        )


@given(sizes, st.data())
def test_an_older_tree_is_proven_the_beginning_of_the_newer_and_no_other_is(size, data):
    hashes = made(size)
    old_size = data.draw(st.integers(1, size))
    old, new = root_of(hashes[:old_size]), root_of(hashes)
    proof = consistency_proof(hashes, old_size)
    assert is_consistent(old_size, old, size, new, proof)
    changed = hashes.copy()
    changed[data.draw(st.integers(0, old_size - 1))] = leaf_hash(b"another")
    assert not is_consistent(old_size, root_of(changed[:old_size]), size, new, proof)
    assert not is_consistent(old_size, old, size, root_of(changed), proof)
    assert not is_consistent(old_size, old, size, new, [*proof, bytes(32)])
    if proof:
        assert not is_consistent(old_size, old, size, new, proof[:-1])


def test_questions_beyond_the_tree_have_no_answer():
    hashes = made(3)
    with pytest.raises(IndexError):
        inclusion_proofs(hashes, [1, 3])
    with pytest.raises(IndexError):
        consistency_proof(hashes, 0)
    assert root_from_inclusion(3, 3, hashes[0], []) is None
    assert root_from_inclusion(0, 1, hashes[0], [bytes(32)]) is None
    assert not is_consistent(0, EMPTY_ROOT, 3, root_of(hashes), [])
    assert not is_consistent(2, root_of(hashes[:2]), 3, root_of(hashes), [])
    assert not is_consistent(1, hashes[0], 1, hashes[0], [bytes(32)])
