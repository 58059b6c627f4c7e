"""The folder outside the database: ``heads.jsonl`` and ``hashes.bin``, only appended to, fsynced.

``hashes.bin`` holds the hash of every sealed leaf, 32 bytes each, in order: with it the verifier names
the very leaf that was changed, not only the head under which it lies. What lies behind the last whole
head is a round that was cut off; the next one writes it again.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.domain.merkle import HASH_BYTES
from models.evidence.heads import Head, HeadUnreadable, read_head

HEADS = "heads.jsonl"
HASHES = "hashes.bin"
_LOCK = "sealer.lock"
_LONGEST_LINE = 4096


class EvidenceFolder:
    """The folder of one log."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """True for the one sealer of this machine at a time; False while another works."""
        self.path.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(lock)

    def last_head(self) -> Head | None:
        """The last whole head; None where none was written yet.

        Raises:
            HeadUnreadable: a whole line is no head.
        """
        try:
            with (self.path / HEADS).open("rb") as file:
                end = _whole(file.fileno())
                if end == 0:
                    return None
                file.seek(max(0, end - _LONGEST_LINE))
                lines = file.read(end - max(0, end - _LONGEST_LINE)).splitlines()
        except FileNotFoundError:
            return None
        return read_head(lines[-1])

    def heads(self) -> Iterator[tuple[int, Head]]:
        """Every whole head with the number of its line, from 1.

        Raises:
            HeadUnreadable: naming the line that is none.
        """
        try:
            with (self.path / HEADS).open("rb") as file:
                for number, line in enumerate(file, start=1):
                    if not line.endswith(b"\n"):
                        return
                    try:
                        yield number, read_head(line)
                    except HeadUnreadable as garbled:
                        raise HeadUnreadable(f"第 {number} 行{garbled.reason}") from garbled
        except FileNotFoundError:
            return

    def hash_count(self) -> int:
        """How many whole hashes there are."""
        try:
            return (self.path / HASHES).stat().st_size // HASH_BYTES
        except FileNotFoundError:
            return 0

    def hashes(self, begin: int, end: int) -> bytes:
        """The hashes at these positions, as many as there are."""
        try:
            with (self.path / HASHES).open("rb") as file:
                file.seek(begin * HASH_BYTES)
                return file.read((end - begin) * HASH_BYTES)
        except FileNotFoundError:
            return b""

    def append(self, head: Head, hashes: bytes) -> None:
        """Write the hashes of the leaves since the head before, then the head; both are on the disk.

        Raises:
            OSError: the disk is full or broken; nothing counts as written.
        """
        before = head.size - len(hashes) // HASH_BYTES
        _append(self.path / HASHES, before * HASH_BYTES, hashes)
        path = self.path / HEADS
        end = 0
        if path.exists():
            with path.open("rb") as file:
                end = _whole(file.fileno())
        _append(path, end, head.line() + b"\n")

    def go_back(self, size: int, heads: int, lost: str) -> None:
        """Let the log end behind its first ``heads`` heads and ``size`` leaves; ``lost`` keeps the others.

        Beside the heads, in ``.bin``, lie the hashes that lead to them: both can still be checked.
        """
        path = self.path / HEADS
        hashes = self.hashes(size, self.hash_count())
        _append((self.path / lost).with_suffix(".bin"), 0, hashes)
        lines = path.read_bytes().splitlines(keepends=True)
        _append(self.path / lost, 0, b"".join(lines[heads:]))
        _append(path, len(b"".join(lines[:heads])), b"")
        _append(self.path / HASHES, size * HASH_BYTES, b"")


def _append(path: Path, at: int, content: bytes) -> None:
    """Write behind the first ``at`` bytes; what lay there was never whole."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if os.fstat(file).st_size < at:
            raise OSError(errno.EIO, "shorter than what was sealed", str(path))
        os.ftruncate(file, at)
        left, place = memoryview(content), at
        while left:
            written = os.pwrite(file, left, place)
            left, place = left[written:], place + written
        os.fsync(file)
    finally:
        os.close(file)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _whole(file: int) -> int:
    """Where the last whole line ends."""
    end = os.fstat(file).st_size
    while end:
        begin = max(0, end - _LONGEST_LINE)
        block = os.pread(file, end - begin, begin)
        if (at := block.rfind(b"\n")) >= 0:
            return begin + at + 1
        end = begin
    return 0
