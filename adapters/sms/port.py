"""An SMS gateway as the rest of the product knows it."""

from typing import Protocol

from adapters.values import SmsReceipt


class SmsGateway(Protocol):
    """Takes one text for one mobile. It does **not** de-duplicate: the same call twice is two texts.

    So an unknown outcome is never repeated by a machine: only a delivery receipt (``adapters.listener``),
    known by group and mobile, can settle it; there is no look-up.
    """

    async def send(self, mobile: str, text: str) -> SmsReceipt:
        """The gateway's group for this text; whether it arrives is reported later.

        Raises:
            NotDone, Throttled: proven that no text left, for a cause that passes or that a corrected
                setting heals (connection, password, signature code).
            Refused: the gateway's final no to this mobile or this text; no text left.
            OutcomeUnknown: anything else once a byte has left; an answer code that is not in the table
                is named in the reason.
        """
        ...

    async def alive(self) -> None:
        """Return when the gateway answers and knows us; asks what no text can come of.

        Raises:
            NotDone, Throttled, OutcomeUnknown: as ``send``; no text was asked for in any case.
        """
        ...
