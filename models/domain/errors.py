"""Findings that cross rooms, named by what the caller must do next.

Every error takes its fields positionally and passes them to ``Exception.__init__``,
so that it survives pickling. No error carries personal data: a record is named by its
number, a rule by its code, a person never.
"""


class ShenguanError(Exception):
    """The root of the findings this product raises itself."""


class NotDone(ShenguanError):  # noqa: N818 - named as the finding it is
    """It is proven that nothing happened over there; the effect may go again later."""

    def __init__(self, target: str, reason: str) -> None:
        super().__init__(target, reason)
        self.target = target
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.target}: nothing was done ({self.reason})"


class Throttled(NotDone):
    """Nothing happened, and the receiver asks to wait.

    ``retry_after`` is in seconds, as the receiver said it; None when it did not say.
    """

    def __init__(self, target: str, reason: str, retry_after: float | None = None) -> None:
        super().__init__(target, reason)
        self.args = (target, reason, retry_after)
        self.retry_after = retry_after


class NoConnection(NotDone):
    """Nothing connects, so no byte left: the system as a whole is away."""


class NotAdmitted(NotDone):
    """Nothing was done, for they do not know us: our key, password or signature. A person mends it."""


class OutcomeUnknown(ShenguanError):  # noqa: N818
    """The call left, and no answer proves what became of it."""

    def __init__(self, target: str, reason: str) -> None:
        super().__init__(target, reason)
        self.target = target
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.target}: the outcome is unknown ({self.reason})"


class Refused(ShenguanError):  # noqa: N818
    """The receiver's documented final no. ``code`` and ``fields`` are its own words.

    ``fields`` are ``name:rule`` pairs; never values.
    """

    def __init__(self, target: str, code: str, fields: tuple[str, ...] = ()) -> None:
        super().__init__(target, code, fields)
        self.target = target
        self.code = code
        self.fields = fields

    def __str__(self) -> str:
        named = f": {', '.join(self.fields)}" if self.fields else ""
        return f"{self.target} refused ({self.code}){named}"


class GatewayRefused(Refused):
    """Refused for a cause that is this gateway's: our account there, not this phone and not this text."""


class AlreadyDone(ShenguanError):  # noqa: N818
    """The receiver holds something under this id or key; success only if the hash is ours."""

    def __init__(self, target: str, stored_sha256: str | None, receipt_number: str | None = None) -> None:
        super().__init__(target, stored_sha256, receipt_number)
        self.target = target
        self.stored_sha256 = stored_sha256
        self.receipt_number = receipt_number

    def __str__(self) -> str:
        return f"{self.target} already holds {self.stored_sha256 or 'something'}"


class Unreadable(ShenguanError):  # noqa: N818
    """An answer to a question (not to an effect) that cannot be read; the raw bytes are kept.

    ``rule`` names what was broken; ``raw`` holds at most the first bytes, for quarantine only:
    it never becomes part of the message.
    """

    def __init__(self, target: str, rule: str, raw: bytes = b"") -> None:
        super().__init__(target, rule, raw)
        self.target = target
        self.rule = rule
        self.raw = raw

    def __str__(self) -> str:
        return f"{self.target}: unreadable answer ({self.rule})"


class BrokenRecord(ShenguanError):  # noqa: N818
    """A record that breaks a rule. ``message`` is the Chinese sentence a clerk reads."""

    def __init__(self, record_key: str, rule: str, message: str) -> None:
        super().__init__(record_key, rule, message)
        self.record_key = record_key
        self.rule = rule
        self.message = message

    def __str__(self) -> str:
        return self.message


class ListNotTaken(ShenguanError, ValueError):  # noqa: N818
    """The ledger does not take this version of the item list. ``why`` is Chinese."""

    def __init__(self, version: str, why: str) -> None:
        super().__init__(version, why)
        self.version = version
        self.why = why

    def __str__(self) -> str:
        return f"清单版本 {self.version} {self.why}"


class ForbiddenMove(ShenguanError):  # noqa: N818
    """The lifecycle has no such transition."""

    def __init__(self, entity: str, state: str, event: str) -> None:
        super().__init__(entity, state, event)
        self.entity = entity
        self.state = state
        self.event = event

    def __str__(self) -> str:
        return f"{self.entity}: no transition from {self.state} on {self.event}"
