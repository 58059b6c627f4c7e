"""The journal of one host: appended before the calls of each wave, and on the disk before they begin.

A folder of files, each at most ``SEGMENT_BYTES`` long, named by its first mark. Every program of the
host writes into the same one, in turns: a file lock keeps two writers apart. The oldest files are
dropped once all together pass the bound.
"""

import fcntl
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from uuid import UUID, uuid4

from adapters.journal.lines import Entry, Wave, packed, sound_part, wave_line, waves_of
from models.domain.errors import ShenguanError

SEGMENT_BYTES = 4 * 1024 * 1024
SUFFIX = ".journal"


class JournalBroken(ShenguanError):  # noqa: N818 - named as the finding it is
    """The journal cannot be believed: ``why`` is Chinese. Nothing may leave until a person has looked."""

    def __init__(self, folder: str, why: str) -> None:
        super().__init__(folder, why)
        self.folder = folder
        self.why = why

    def __str__(self) -> str:
        return f"外发日志 {self.folder} 不可信：{self.why}"


class Journal:
    """The journal in a folder, for one installation's ledger. Cheap to ask, one fsync to append.

    ``last`` is the highest mark that is known here; ``identity`` the journal's own, None until its
    first line is written.
    """

    def __init__(self, folder: Path, installation: UUID, *, most_bytes: int) -> None:
        self.folder = folder
        self.installation = installation
        self.identity: UUID | None = None
        self.last = 0
        self._most_bytes = most_bytes
        self._read: dict[str, int] = {}
        self._file: int | None = None
        self._name = ""
        self._turn = threading.RLock()

    def refresh(self) -> int:
        """Read what other programs of this host have written since; the highest mark.

        Raises:
            JournalBroken: a line in the midst was changed, or it is another installation's.
        """
        with self._turn:
            for path in self._segments():
                with suppress(FileNotFoundError):  # another program dropped it
                    begin = self._read.get(path.name, 0)
                    if path.stat().st_size > begin:
                        self._take(path, begin)
            return self.last

    def begin(self, host: str) -> UUID:
        """Make the folder and the first line, where there is none; the journal's identity.

        Raises:
            JournalBroken, OSError: it cannot be written.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._alone():
            self.refresh()
            if self.identity is None:
                self._open_segment(0, uuid4(), host)
                self.refresh()
        assert self.identity is not None
        return self.identity

    def append(self, mark: int, entries: Sequence[Entry], day: date | None = None) -> None:
        """Write the wave of that business day; when this returns it is on the disk.

        Raises:
            OSError: it may not be there. Nothing of this wave may leave.
            JournalBroken: as ``refresh``.
        """
        with self._alone():
            self._write(wave_line(mark, tuple(entries), day), mark)
            assert self._file is not None
            os.fdatasync(self._file)

    def note_seen(self, mark: int) -> None:
        """Remember how far the ledger has come by others' work; not forced to the disk."""
        with self._alone():
            self._write(packed({"mark": mark}), mark)

    def waves(self) -> Iterator[Wave]:
        """Every wave that is still kept, oldest file first."""
        for path in self._segments():
            lines, _, torn = sound_part(path.read_bytes())
            if not torn:
                raise JournalBroken(str(self.folder), f"{path.name} 中有被改动的行")
            yield from waves_of(lines)

    @property
    def begins_after(self) -> int:
        """The mark up to which nothing is kept any more; 0 while nothing was dropped."""
        segments = self._segments()
        return max(0, int(segments[0].stem) - 1) if segments else 0

    def close(self) -> None:
        """Let the file go."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _segments(self) -> list[Path]:
        try:
            return sorted(path for path in self.folder.iterdir() if path.suffix == SUFFIX)
        except FileNotFoundError:
            return []

    def _take(self, path: Path, begin: int) -> None:
        with path.open("rb") as file:
            file.seek(begin)
            raw = file.read()
        lines, end, torn = sound_part(raw)
        if not torn:
            raise JournalBroken(str(self.folder), f"{path.name} 中有被改动的行")
        for line in lines:
            if "journal" in line:
                if line["installation"] != str(self.installation):
                    raise JournalBroken(str(self.folder), "属于另一套系统的台账")
                self.identity = UUID(line["journal"])
            self.last = max(self.last, line.get("mark", 0))
        self._read[path.name] = begin + end

    @contextmanager
    def _alone(self) -> Iterator[None]:
        # A lock of the file keeps programs apart, the other one the threads of this program.
        with self._turn, (self.folder / "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, line: bytes, mark: int) -> None:
        try:
            self.refresh()
            newest = self._segments()[-1]
            if newest.name != self._name or self._file is None:
                self.close()
                self._file = os.open(newest, os.O_WRONLY | os.O_APPEND)
                self._name = newest.name
            # What a killed writer left torn was never acknowledged, and goes.
            kept = self._read.get(self._name, 0)
            if os.fstat(self._file).st_size != kept:
                os.ftruncate(self._file, kept)
            if kept + len(line) > SEGMENT_BYTES:
                assert self.identity is not None
                self._open_segment(mark, self.identity, None)
                self._drop_oldest()
            if os.write(self._file, line) != len(line):
                raise OSError("the journal took only a part of the line")  # noqa: TRY301
        except OSError:
            self.close()
            raise
        self._read[self._name] = self._read.get(self._name, 0) + len(line)
        self.last = max(self.last, mark)

    def _open_segment(self, mark: int, identity: UUID, host: str | None) -> None:
        self.close()
        path = self.folder / f"{mark:020d}{SUFFIX}"
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._name = path.name
        os.ftruncate(self._file, self._read.get(path.name, 0))
        head = {"journal": str(identity), "installation": str(self.installation), "mark": self.last}
        line = packed(head | ({"host": host} if host else {}))
        os.write(self._file, line)
        os.fsync(self._file)
        self._read[self._name] = 0 if host else len(line)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _drop_oldest(self) -> None:
        segments = self._segments()
        sizes = [path.stat().st_size for path in segments]
        # The newest will be filled.
        while len(segments) > 1 and sum(sizes[:-1]) + SEGMENT_BYTES > self._most_bytes:
            segments.pop(0).unlink()
            sizes.pop(0)
