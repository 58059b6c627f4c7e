"""After a rotation the data keys are wrapped by the current key; what they sealed is not touched."""

from dataclasses import dataclass

from models.ledger.connection import Ledger
from models.ledger.data_keys import WRAPPED_FIELD
from models.ledger.queries import data_keys
from models.ledger.sealing import Sealing

_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """How many data keys were wrapped again."""

    keys: int


async def rewrap(ledger: Ledger, sealing: Sealing) -> Rewrapped:
    """Wrap every living data key by the keyring's current key. May be stopped, and run again.

    Raises:
        UnknownKey: the key file lacks the key that wrapped one; the others before it are done.
        SealBroken: a wrapped key was changed.
    """
    done = 0
    while True:
        async with ledger.writing() as conn:
            rows = await data_keys.to_rewrap(conn, sealing.current_prefix, _BATCH)
            if not rows:
                return Rewrapped(done)
            again = [
                (row["id"], sealing.seal(WRAPPED_FIELD, row["id"], secret))
                for row in rows
                for secret in [sealing.open_sealed(WRAPPED_FIELD, row["id"], row["wrapped"])]
            ]
            done += await data_keys.rewrap(conn, again)
