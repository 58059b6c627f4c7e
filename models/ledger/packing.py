"""Files of lines of JSON, packed: what an archived month lies in."""

import gzip
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


def packed(file: Path, lines: Iterable[str]) -> int:
    """Write the lines to a new file of 0600 that is on the disk when this returns; how many.

    Raises:
        OSError: it cannot be written; what is there of it says nothing.
    """
    count = 0
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as raw:
        with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=6, mtime=0) as out:
            for line in lines:
                out.write(line.encode() + b"\n")
                count += 1
        raw.flush()
        os.fsync(raw.fileno())
    return count


def unpacked(file: Path) -> Iterator[dict[str, Any]]:
    """The lines of such a file, one by one.

    Raises:
        OSError, EOFError, ValueError: it is not there, or not whole.
    """
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
