"""Files a simulator remembers by: JSON lines, on the disk before the answer leaves.

Requests that wait for the same fsync share it; it runs beside the loop, in a thread.
"""

import asyncio
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any


class Journal:
    """One append-only file of JSON lines. A line cut by a kill is dropped on opening."""

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._durable = durable
        self._mend()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._file).st_size
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._flusher: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fsync")

    def lines(self) -> Iterator[dict[str, Any]]:
        """What the file holds, oldest first.

        Raises:
            ValueError: a line in the middle is no JSON object; only the last may be cut.
        """
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                value = json.loads(line)
                if not isinstance(value, dict):
                    raise ValueError(f"{self.path.name}:{number}: 不是 JSON 对象")  # noqa: TRY004 - a broken file, not a caller's slip
                yield value

    def append(self, lines: Sequence[bytes]) -> "asyncio.Future[None]":
        """A future that is done when the lines are on the disk.

        It fails with OSError when the disk refused; the file is then as it was before.
        """
        future = asyncio.get_running_loop().create_future()
        block = b"".join(line + b"\n" for line in lines)
        if not self._durable:
            os.write(self._file, block)
            future.set_result(None)
            return future
        self._waiting.append((block, future))
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush())
        return future

    def note(self, value: dict[str, Any]) -> None:
        """Append one line now, without waiting for the disk: for what is no effect."""
        os.write(self._file, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")

    async def drop(self, own_ids: frozenset[str]) -> None:
        """Take the effects of these own ids out of the file: a receiver that loses what it had confirmed."""
        while self._flusher is not None:
            await self._flusher
        kept = [line for line in self.path.read_bytes().splitlines() if _own_id(line) not in own_ids]
        os.ftruncate(self._file, 0)
        self._size = 0
        self._write(b"".join(line + b"\n" for line in kept))

    async def close(self) -> None:
        """Wait for what is being written and close the file."""
        while self._flusher is not None:
            await self._flusher
        self._thread.shutdown()
        os.close(self._file)

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                block = b"".join(lines for lines, _ in batch)
                failure: OSError | None = None
                try:
                    await loop.run_in_executor(self._thread, self._write, block)
                except OSError as error:
                    failure = error
                for _, future in batch:
                    if future.done():
                        continue
                    if failure is None:
                        future.set_result(None)
                    else:
                        future.set_exception(OSError(failure.errno, os.strerror(failure.errno or 0)))
        finally:
            self._flusher = None

    def _write(self, block: bytes) -> None:
        try:
            view = memoryview(block)
            while view:
                view = view[os.write(self._file, view) :]
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(block)

    def _mend(self) -> None:
        if not self.path.exists():
            return
        with self.path.open("rb+") as file:
            data = file.read()
            end = data.rfind(b"\n") + 1
            if end != len(data):
                file.truncate(end)


def _own_id(line: bytes) -> Any:
    return json.loads(line).get("own_id")


def log_beside(ledger: Path) -> Path:
    """The sibling for repeats, conflicts, refusals and receipts: `x.jsonl` → `x.log.jsonl`."""
    return ledger.with_name(f"{ledger.stem}.log.jsonl")
