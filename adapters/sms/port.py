"""An SMS gateway as the rest of the product knows it."""

from dataclasses import dataclass
from typing import Protocol

from adapters.values import SmsReceipt


@dataclass(frozen=True, slots=True)
class SmsFate:
    """A text they hold: ``status`` DELIVRD or another word of a receipt, empty while none came."""

    status: str


class SmsGateway(Protocol):
    """Takes one text for one mobile. It does **not** de-duplicate: the same call twice is two texts.

    So an unknown outcome is never repeated by a machine: a delivery receipt (``adapters.listener``)
    settles it, known by their number and the mobile or by our reference, or ``find`` where they have it.
    """

    @property
    def looks_up(self) -> bool:
        """Whether ``find`` can tell anything."""
        ...

    async def send(self, mobile: str, text: str, reference: str = "") -> SmsReceipt:
        """The gateway's number for this text; whether it arrives is reported later.

        ``reference`` is ours; some gateways give it back with the receipt.

        Raises:
            NotDone, Throttled: proven that no text left, for a cause that passes or that a corrected
                setting heals (connection, password, signature code).
            Refused: the gateway's final no to this mobile or this text; no text left. GatewayRefused
                where the cause is our account there: another gateway may take the same text.
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

    async def find(self, mobile: str, day: str, reference: str) -> SmsFate | None:
        """What became of the text of this reference on a business day (yyyyMMdd); None where they tell none.

        None proves nothing about a request that may still be on its way, and so nothing is sent on it.

        Raises:
            NotDone, Throttled, OutcomeUnknown: no answer now.
        """
        ...
