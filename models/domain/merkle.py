"""A Merkle tree as RFC 9162 (2.1) and RFC 6962 define it, over the SHA-256 hashes of leaves.

A leaf's hash is SHA-256 of ``00`` and its bytes, a node's SHA-256 of ``01``, left hash and right hash:
no leaf can be taken for a node. Trees grow to the right, so that an older tree can be shown to be
the beginning of a newer one.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Self

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    """The hash under which the tree holds this leaf."""
    return hashlib.sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of the node over these two."""
    return hashlib.sha256(b"\1" + left + right).digest()


class Peaks:
    """What is needed of a tree to let it grow: the roots of its whole subtrees, the largest first.

    A tree of n leaves has as many peaks as n has one-bits.
    """

    __slots__ = ("_peaks", "size")

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        if len(peaks) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} peaks, not {len(peaks)}")
        self.size = size
        self._peaks = list(peaks)

    @classmethod
    def of(cls, hashes: Iterable[bytes]) -> Self:
        """The tree of these leaf hashes."""
        tree = cls()
        for each in hashes:
            tree.append(each)
        return tree

    @classmethod
    def from_bytes(cls, size: int, packed: bytes) -> Self:
        """The tree that :meth:`to_bytes` packed."""
        return cls(size, hashes_in(packed))

    def to_bytes(self) -> bytes:
        """The peaks, 32 bytes each."""
        return b"".join(self._peaks)

    def append(self, leaf: bytes) -> None:
        """Let the tree grow by one leaf, given by its hash."""
        peaks, rest = self._peaks, self.size
        while rest & 1:
            leaf = node_hash(peaks.pop(), leaf)
            rest >>= 1
        peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root over all leaves; that of no leaf is SHA-256 of nothing."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root


def hashes_in(packed: bytes) -> list[bytes]:
    """Hashes that lie one behind the other."""
    return [packed[at : at + HASH_BYTES] for at in range(0, len(packed), HASH_BYTES)]


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over these leaf hashes."""
    return Peaks.of(hashes).root()


def inclusion_proofs(hashes: Sequence[bytes], indexes: Iterable[int]) -> dict[int, list[bytes]]:
    """For each index the hashes that lead from its leaf to the root over all of ``hashes``, lowest first.

    The tree is built once, however many leaves are asked for.
    """
    places = {index: index for index in indexes}
    if any(not 0 <= index < len(hashes) for index in places):
        raise IndexError(max(places))
    proofs: dict[int, list[bytes]] = {index: [] for index in places}
    level = list(hashes)
    while len(level) > 1:
        for index, place in places.items():
            # The last of an odd level has nobody beside it, and rises as it is.
            if place ^ 1 < len(level):
                proofs[index].append(level[place ^ 1])
            places[index] = place >> 1
        pairs = [node_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        level = [*pairs, level[-1]] if len(level) % 2 else pairs
    return proofs


def root_from_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> bytes | None:
    """The root that this proof leads to from a leaf's hash; None where the proof fits no such tree."""
    if not 0 <= index < size:
        return None
    place, last, root = index, size - 1, leaf
    for each in proof:
        if last == 0:
            return None
        if place & 1 or place == last:
            root = node_hash(each, root)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            root = node_hash(root, each)
        place, last = place >> 1, last >> 1
    return root if last == 0 else None


def consistency_proof(hashes: Sequence[bytes], old_size: int) -> list[bytes]:
    """The hashes that show the tree of the first ``old_size`` leaves to be the beginning of this one."""
    if not 0 < old_size <= len(hashes):
        raise IndexError(old_size)
    return _subproof(hashes, 0, len(hashes), old_size, whole=True)


def _subproof(hashes: Sequence[bytes], begin: int, end: int, old: int, *, whole: bool) -> list[bytes]:
    if old == end - begin:
        return [] if whole else [root_of(hashes[begin:end])]
    middle = begin + _split(end - begin)
    if old <= middle - begin:
        return [*_subproof(hashes, begin, middle, old, whole=whole), root_of(hashes[middle:end])]
    left = root_of(hashes[begin:middle])
    return [*_subproof(hashes, middle, end, old - (middle - begin), whole=False), left]


def is_consistent(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether the proof shows that the new tree begins with the old one."""
    if not 0 < old_size <= new_size:
        return False
    if old_size == new_size:
        return not proof and old_root == new_root
    path = list(proof) if old_size & (old_size - 1) else [old_root, *proof]
    if not path:
        return False
    place, last = old_size - 1, new_size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = path[0]
    for each in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old, new = node_hash(each, old), node_hash(each, new)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, each)
        place, last = place >> 1, last >> 1
    return old == old_root and new == new_root and last == 0


def _split(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << ((size - 1).bit_length() - 1)
