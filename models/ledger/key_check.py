"""Whether a key file is this ledger's: asked before anything is sealed or opened.

A file with other keys under the same numbers would seal what nobody can open later, and take every
sealed content for tampered with. The ledger knows each of its keys by a mark.
"""

import hashlib
import hmac
from collections.abc import Iterator
from pathlib import Path

from models.ledger.connection import Ledger
from models.ledger.keyring import Keyring, KeyringBroken
from models.ledger.queries import key_marks

_CHINESE = {"seal": "密封", "index": "索引"}


async def assert_ours(ledger: Ledger, keyring: Keyring, path: Path) -> None:
    """Returns when no key of the file contradicts what the ledger knows; keys new to it are remembered.

    The first start on a ledger decides which keys are its own.

    Raises:
        KeyringBroken: the file belongs to another ledger.
        LedgerUnavailable: PostgreSQL does not answer.
    """
    marks = dict(_marks(keyring))
    async with ledger.reading() as conn:
        known = await key_marks.known(conn)
    _compare(marks, known, path)
    if not set(marks) <= set(known):
        async with ledger.writing() as conn:
            await key_marks.remember(conn, [(*key, mark) for key, mark in marks.items()])
            # Two first starts at once, with two files: the second finds the first one's marks.
            known = await key_marks.known(conn)
        _compare(marks, known, path)


def _compare(marks: dict[tuple[str, int], bytes], known: dict[tuple[str, int], bytes], path: Path) -> None:
    for purpose, chinese in _CHINESE.items():
        theirs = {key_id: mark for (use, key_id), mark in known.items() if use == purpose}
        ours = {key_id: mark for (use, key_id), mark in marks.items() if use == purpose}
        strange = [number for number in sorted(ours.keys() & theirs.keys()) if ours[number] != theirs[number]]
        if strange:
            raise KeyringBroken(
                str(path), f"第 {strange[0]} 把{chinese}密钥不是这套台账的，请从备份恢复原来的密钥文件"
            )
        if theirs and not ours.keys() & theirs.keys():
            raise KeyringBroken(
                str(path), f"其中没有这套台账的任何一把{chinese}密钥，请从备份恢复原来的密钥文件"
            )


def _marks(keyring: Keyring) -> Iterator[tuple[tuple[str, int], bytes]]:
    for purpose, keys in (("seal", keyring.seal_keys), ("index", keyring.index_keys)):
        for key in keys.values():
            about = f"shenguan|key-mark|{purpose}|{key.key_id}|{key.algorithm}".encode()
            yield (purpose, key.key_id), hmac.digest(key.secret, about, hashlib.sha256)
