"""The folder outside the database: what is whole in it counts, what was cut off does not."""

import errno

import pytest

from models.evidence.folder import HASHES, HEADS, EvidenceFolder
from models.evidence.heads import NO_HEAD, HeadUnreadable, sign_head
from models.evidence.signing import Signer, create_signing_key


@pytest.fixture
def signer(tmp_path):
    create_signing_key(tmp_path / "sign.pem")
    return Signer.load(tmp_path / "sign.pem")


@pytest.fixture
def folder(tmp_path):
    return EvidenceFolder(tmp_path / "log")


def leaves(begin, end):
    return b"".join(bytes([number]) * 32 for number in range(begin, end))


def head_of(signer, size, previous=NO_HEAD):
    return sign_head(signer, size=size, root=bytes([size]) * 32, previous=previous, at="2026-05-06T01:02:03Z")


def test_an_empty_folder_has_no_head_and_no_hash(folder) -> None:
    assert folder.last_head() is None
    assert list(folder.heads()) == []
    assert folder.hash_count() == 0
    assert folder.hashes(0, 9) == b""


def test_one_sealer_at_a_time(folder) -> None:
    with folder.alone() as first, EvidenceFolder(folder.path).alone() as second:
        assert (first, second) == (True, False)
    with folder.alone() as again:
        assert again


def test_a_round_that_was_cut_off_is_written_again(folder, signer) -> None:
    with folder.alone():
        first = head_of(signer, 2)
        folder.append(first, leaves(0, 2))
        with (folder.path / HEADS).open("ab") as file:
            file.write(head_of(signer, 5, first.digest()).line()[:70])
        with (folder.path / HASHES).open("ab") as file:
            file.write(leaves(7, 9))
        assert folder.last_head() == first
        assert [number for number, _ in folder.heads()] == [1]
        second = head_of(signer, 3, first.digest())
        folder.append(second, leaves(2, 3))
    assert [head for _, head in folder.heads()] == [first, second]
    assert folder.hashes(0, 9) == leaves(0, 3)


@pytest.mark.parametrize("length", [10, 5000, 20_000])
def test_a_cut_off_line_of_any_length_is_no_head(folder, signer, length) -> None:
    with folder.alone():
        folder.append(head_of(signer, 1), leaves(0, 1))
        with (folder.path / HEADS).open("ab") as file:
            file.write(b"x" * length)
    assert folder.last_head().size == 1
    (folder.path / HEADS).write_bytes(b"x" * length)
    assert folder.last_head() is None


def test_what_was_sealed_and_is_gone_is_told_and_not_written_over(folder, signer) -> None:
    with folder.alone():
        first = head_of(signer, 2)
        folder.append(first, leaves(0, 2))
        (folder.path / HASHES).write_bytes(leaves(0, 1))
        with pytest.raises(OSError, match="shorter than what was sealed") as told:
            folder.append(head_of(signer, 3, first.digest()), leaves(2, 3))
    assert told.value.errno == errno.EIO
    assert (folder.path / HASHES).read_bytes() == leaves(0, 1)
    assert folder.last_head() == first


def test_a_whole_line_that_is_no_head_is_named_by_its_number(folder, signer) -> None:
    with folder.alone():
        folder.append(head_of(signer, 1), leaves(0, 1))
        with (folder.path / HEADS).open("ab") as file:
            file.write(b"{}\n")
    with pytest.raises(HeadUnreadable, match="第 2 行"):
        list(folder.heads())
    with pytest.raises(HeadUnreadable):
        folder.last_head()
