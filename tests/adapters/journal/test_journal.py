"""The journal of one host: on the disk before a call begins, whoever dies, and believed only whole."""

import multiprocessing
import os
from uuid import UUID, uuid4

import pytest

from adapters.journal import journal as module
from adapters.journal.journal import Journal, JournalBroken
from adapters.journal.lines import Entry, Wave

INSTALLATION = UUID(int=7)
MOST = 64 * 1024 * 1024


def opened(folder, installation=INSTALLATION, most=MOST):
    journal = Journal(folder, installation, most_bytes=most)
    journal.begin("host-a")
    return journal


def segments(folder):
    return sorted(folder.glob("*.journal"))


def test_a_folder_that_is_not_there_knows_nothing(tmp_path):
    journal = Journal(tmp_path / "none", INSTALLATION, most_bytes=MOST)
    assert journal.refresh() == 0
    assert journal.identity is None


def test_what_was_appended_is_read_by_every_program_of_the_host(tmp_path):
    first, second = opened(tmp_path), opened(tmp_path)
    assert first.identity == second.identity
    about = {"target": "ab", "news": [["PS1", "LZ1"]]}
    first.append(1, [Entry("PS1", 1), Entry("PS2", 3)])
    second.append(2, [Entry("SM1", 1, about)])
    assert first.refresh() == second.refresh() == 2
    assert list(opened(tmp_path).waves()) == [
        Wave(1, (Entry("PS1", 1), Entry("PS2", 3))),
        Wave(2, (Entry("SM1", 1, about),)),
    ]
    second.note_seen(9)
    assert first.refresh() == opened(tmp_path).refresh() == 9
    assert [wave.mark for wave in first.waves()] == [1, 2]


def test_a_torn_end_was_never_acknowledged_and_goes(tmp_path):
    journal = opened(tmp_path)
    journal.append(1, [Entry("PS1", 1)])
    (path,) = segments(tmp_path)
    with path.open("ab") as file:
        file.write(b'0000abcd {"mark":2,"se')
    again = opened(tmp_path)
    assert again.refresh() == 1
    again.append(3, [Entry("PS3", 1)])
    assert [wave.mark for wave in opened(tmp_path).waves()] == [1, 3]
    with path.open("ab") as file:
        file.write(b"\0" * 5000)
    journal.append(4, [Entry("PS4", 1)])
    assert [wave.mark for wave in opened(tmp_path).waves()] == [1, 3, 4]


@pytest.mark.parametrize("bytes_short", [1, 2, 12])
def test_a_line_that_lacks_its_end_was_never_acknowledged_and_goes(tmp_path, bytes_short):
    journal = opened(tmp_path)
    journal.append(1, [Entry("PS1", 1)])
    with pytest.MonkeyPatch.context() as patch:
        whole = os.write
        patch.setattr(os, "write", lambda file, line: whole(file, line[:-bytes_short]))
        with pytest.raises(OSError, match="a part of the line"):
            journal.append(2, [Entry("PS2", 1)])
    (path,) = segments(tmp_path)
    assert path.read_bytes().rpartition(b"\n")[2]
    again = opened(tmp_path)
    assert again.refresh() == 1
    assert [wave.mark for wave in again.waves()] == [1]
    journal.append(3, [Entry("PS3", 1)])
    assert again.refresh() == 3
    assert [wave.mark for wave in opened(tmp_path).waves()] == [1, 3]


def test_a_first_line_that_was_torn_begins_again(tmp_path):
    (tmp_path / f"{0:020d}.journal").write_bytes(b'0000abcd {"jour')
    journal = opened(tmp_path)
    journal.append(1, [Entry("PS1", 1)])
    assert [wave.mark for wave in opened(tmp_path).waves()] == [1]


def test_a_changed_line_in_the_midst_is_no_torn_end(tmp_path):
    journal = opened(tmp_path)
    for mark in range(1, 4):
        journal.append(mark, [Entry(f"PS{mark}", 1)])
    (path,) = segments(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"PS2", b"PSX"))
    with pytest.raises(JournalBroken, match="被改动的行"):
        opened(tmp_path)
    with pytest.raises(JournalBroken):
        list(journal.waves())


def test_another_installations_journal_is_not_ours(tmp_path):
    opened(tmp_path).append(1, [Entry("PS1", 1)])
    with pytest.raises(JournalBroken, match="另一套系统"):
        opened(tmp_path, uuid4())


def test_files_stay_small_and_the_oldest_go(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SEGMENT_BYTES", 4000)
    journal = opened(tmp_path, most=12_000)
    other = opened(tmp_path, most=12_000)
    for mark in range(1, 301):
        (journal if mark % 3 else other).append(mark, [Entry(f"PS{mark:04d}", 1), Entry(f"RC{mark:04d}", 1)])
    assert all(path.stat().st_size <= 4000 for path in segments(tmp_path))
    assert sum(path.stat().st_size for path in segments(tmp_path)) <= 12_000
    kept = [wave.mark for wave in opened(tmp_path).waves()]
    assert kept == list(range(kept[0], 301))
    assert kept[0] > 1
    fresh = opened(tmp_path)
    assert (fresh.refresh(), fresh.identity) == (300, journal.identity)


def test_a_disk_that_takes_nothing_is_told_and_costs_nothing_later(tmp_path, monkeypatch):
    journal = opened(tmp_path)
    journal.append(1, [Entry("PS1", 1)])

    def full(*_):
        raise OSError(28, "no space left")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", full)
        with pytest.raises(OSError, match="no space"):
            journal.append(2, [Entry("PS2", 1)])
    journal.append(3, [Entry("PS3", 1)])
    assert opened(tmp_path).refresh() == 3


def _write(folder, which):
    journal = opened(folder)
    for number in range(100):
        journal.append(which * 1000 + number, [Entry(f"PS{which}{number}", 1)])


def test_two_writers_never_mix_their_lines(tmp_path):
    opened(tmp_path)
    fresh = multiprocessing.get_context("spawn")
    writers = [fresh.Process(target=_write, args=(tmp_path, which)) for which in (1, 2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    marks = sorted(wave.mark for wave in opened(tmp_path).waves())
    assert marks == [*range(1000, 1100), *range(2000, 2100)]
