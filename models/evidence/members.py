"""The files of a pack, read as if its bearer meant ill: none twice, none too large, none in a cipher."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MOST_BYTES = 256 * 1024 * 1024
"""What all files of a pack together may have, unpacked."""
MOST_JSON = 16 * 1024 * 1024
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 1


class MembersUnfit(Exception):  # noqa: N818 - named as the finding it is
    """The zip file is not one that we write. ``reason`` is Chinese."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Members:
    """The files of an opened zip file."""

    def __init__(self, pack: zipfile.ZipFile) -> None:
        self._pack = pack
        self._infos = {info.filename: info for info in pack.infolist()}
        if len(self._infos) != len(pack.infolist()):
            raise MembersUnfit("有重名的文件")
        if any(info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS for info in self):
            raise MembersUnfit("有文件被加密，或压缩方法不对")
        if sum(info.file_size for info in self) > MOST_BYTES:
            raise MembersUnfit("文件过大")

    def __iter__(self) -> Iterator[zipfile.ZipInfo]:
        return iter(self._infos.values())

    def read(self, name: str, most: int = MOST_BYTES) -> bytes:
        """The content of one file.

        Raises:
            KeyError: there is none of this name.
            MembersUnfit: it is larger than ``most`` or than it says.
        """
        info = self._infos[name]
        with self._pack.open(info) as file:
            content = file.read(min(info.file_size, most) + 1)
        if len(content) != info.file_size:
            raise MembersUnfit("文件过大，或与所记的大小不符")
        return content


@contextmanager
def opened(path: Path) -> Iterator[Members]:
    """The files of a zip file.

    Raises:
        OSError, zipfile.BadZipFile, ValueError: it cannot be read.
        MembersUnfit: see there.
    """
    with zipfile.ZipFile(path) as pack:
        yield Members(pack)
