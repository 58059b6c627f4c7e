"""The city platform as the rest of the product knows it."""

from typing import Literal, Protocol

from adapters.values import CountRow, Page, Receipt, Stored

Channel = Literal["push", "recall", "return"]


class Platform(Protocol):
    """Cases and feedback come from here; pushes, recalls and returns go there.

    The platform de-duplicates on our own id and on (business key, content version): repeating an effect
    with the same bytes stores nothing new and gives the same receipt, ``repeated``. So an unknown
    outcome is settled by the same call again, or by ``find``.

    Questions (``changed_*``, ``find``, ``counts``, ``effects``) change nothing there. They are repeated
    within the call while no answer comes, and raise:
        NotDone, Throttled: no answer now; ask again later.
        Unreadable: any other answer than the documented one (so too for a cursor they do not know); its
            first 64 KiB are in ``raw``.

    Effects (``push``, ``recall``, ``give_back``) leave at most once a call, and raise:
        NotDone, Throttled: proven that nothing was stored; the same bytes may go again.
        Refused: their final no to this content; ``fields`` says why. Nothing was stored.
        AlreadyDone: they hold something under this own id or business key and version, and its hash
            is not ours (or is not told). Never success without comparing.
        OutcomeUnknown: anything else once a byte has left.
    Of a call that is cancelled the outcome is unknown.
    """

    async def changed_cases(self, cursor: str | None, *, limit: int = 200) -> Page:
        """Case records changed after the cursor (None: from the beginning); at most 500 a page.

        A page may repeat records, shift, and come out of order. One that cannot be read stands in the
        page as an item with its fault.
        """
        ...

    async def changed_feedback(self, cursor: str | None, *, limit: int = 200) -> Page:
        """Supervision results changed after the cursor; as ``changed_cases``."""
        ...

    async def push(self, own_id: str, body: bytes) -> Receipt:
        """The receiving department's receipt for a push. ``body`` is the canonical JSON, sent as it is."""
        ...

    async def recall(self, own_id: str, body: bytes) -> Receipt:
        """The receipt for the withdrawal of pushes made before."""
        ...

    async def give_back(self, own_id: str, body: bytes) -> Receipt:
        """The receipt for a supervision result or a credit record returned to the approval side."""
        ...

    async def find(self, channel: Channel, own_id: str) -> Stored | None:
        """What they hold under our own id; None only when they say, as documented, that there is nothing.

        None proves nothing about a request that may still be on its way.
        """
        ...

    async def counts(self, day: str) -> tuple[CountRow, ...]:
        """What was stored on a business day (``YYYY-MM-DD``, Asia/Shanghai), by kind, department, stage."""
        ...

    async def effects(
        self, day: str, cursor: str | None, *, kind: str = "", department: str = "", limit: int = 500
    ) -> Page:
        """The stored effects behind a count.

        Items are own_id, kind, department, stage, business_key, content_sha256.
        """
        ...
