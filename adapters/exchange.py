"""One signed conversation: effects that go at most once a call, and questions that may be repeated."""

import time
from collections.abc import Callable
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlencode

import orjson
from pydantic import TypeAdapter, ValidationError
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential

from adapters.problems import Meaning, effect_finding, read_problem, retry_after
from adapters.signing import Signer
from adapters.strict_json import NotStrict, read, read_page, without_doubles
from adapters.transport import KEPT_BYTES, TOO_LARGE, Answer, Transport
from adapters.values import Page
from models.domain.errors import NotDone, OutcomeUnknown, Refused, ShenguanError, Throttled, Unreadable

T = TypeVar("T")

ANSWER_LIMIT = 1024 * 1024
"""Bytes of an answer to an effect or to a question about one thing."""
PAGE_LIMIT = 16 * 1024 * 1024
"""Bytes of a page; 500 records of the largest lawful size."""
CURSOR_LIMIT = 1024
_ASKS = 3
_SMALLER = 8
_SHORTEST_S = 0.1


class Exchange:
    """Effects and questions to one system under one key. Closing it closes its transport."""

    def __init__(self, transport: Transport, signer: Signer, *, deadline_s: float = 20.0) -> None:
        self.target = transport.target
        self._transport = transport
        self._signer = signer
        self._deadline_s = deadline_s

    @property
    def deadline_s(self) -> float:
        """The total time one call may take; a lease must outlast it."""
        return self._deadline_s

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transport.aclose()

    async def effect(self, path: str, key: str, body: bytes) -> Answer:
        """The answer 200 or 201 to one POST, sent once.

        Raises:
            NotDone, Throttled: proven that nothing happened.
            Refused: their documented final no.
            AlreadyDone: a documented conflict.
            OutcomeUnknown: everything else.
        """
        try:
            answer = await self._call(
                "POST", path, body=body, key=key, limit=ANSWER_LIMIT, deadline_s=self._deadline_s
            )
        except Unreadable as error:
            raise OutcomeUnknown(self.target, error.rule) from None
        if answer.status in {200, 201}:
            return answer
        raise effect_finding(answer, self.target)

    async def ask(
        self,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: bytes | None = None,
        limit: int = ANSWER_LIMIT,
    ) -> Answer | None:
        """The answer 200 to a question (a POST when it has a body); None for a documented *not found*.

        Asked up to three times within the one deadline while no answer comes.

        Raises:
            NotDone, Throttled: no answer now.
            Refused: a documented no to a question with a body.
            Unreadable: any other answer than the documented one, with its first bytes.
        """
        target = f"{path}?{urlencode(query)}" if query else path
        until = time.monotonic() + self._deadline_s

        async def once() -> Answer | None:
            return await self._once(target, body, limit, max(until - time.monotonic(), _SHORTEST_S))

        return await AsyncRetrying(
            stop=stop_after_attempt(_ASKS),
            wait=wait_exponential(multiplier=0.1, max=1.0),
            retry=retry_if_exception(lambda error: _again(error) and time.monotonic() + 1.0 < until),
            reraise=True,
        )(once)

    async def asked(
        self, path: str, *, query: dict[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """As ``ask``, for questions that *not found* does not answer: there it is Unreadable."""
        answer = await self.ask(path, query=query, body=body)
        if answer is None:
            raise Unreadable(self.target, "not-found")
        return answer

    async def _once(self, target: str, body: bytes | None, limit: int, deadline_s: float) -> Answer | None:
        method = "GET" if body is None else "POST"
        try:
            answer = await self._call(method, target, body=body, key=None, limit=limit, deadline_s=deadline_s)
        except OutcomeUnknown as error:
            raise NotDone(self.target, error.reason) from None
        if answer.status == 200:  # noqa: PLR2004
            return answer
        problem = read_problem(answer)
        if problem is not None and problem.meaning is Meaning.ABSENT:
            return None
        if answer.status == 429:  # noqa: PLR2004
            raise Throttled(self.target, "status 429", retry_after(answer))
        if problem is not None and problem.meaning is Meaning.NOT_DONE:
            raise effect_finding(answer, self.target)
        if problem is not None and problem.meaning is Meaning.REPEATED:
            raise NotDone(self.target, problem.code)
        if problem is not None and problem.meaning is Meaning.REFUSED and body is not None:
            raise Refused(self.target, problem.code, problem.fields)
        if answer.status >= 500 or answer.status in {401, 408}:  # noqa: PLR2004
            raise NotDone(self.target, f"status {answer.status}")
        raise self.astray(answer, f"status {answer.status}" + (f" {problem.code}" if problem else ""))

    async def page(
        self, path: str, cursor: str | None, *, limit: int, query: dict[str, str] | None = None
    ) -> Page:
        """One page of a feed; see ``ask`` for what it raises.

        A page too large to be taken is asked for in smaller pieces, down to a single record: a few
        huge records must not stand between us and all that comes after them.
        """
        while True:
            try:
                return await self._page(path, cursor, limit, query)
            except Unreadable as broken:
                if broken.rule != TOO_LARGE or limit == 1:
                    raise
                limit = max(1, limit // _SMALLER)

    async def _page(self, path: str, cursor: str | None, limit: int, query: dict[str, str] | None) -> Page:
        asked = dict(query or {}) | {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        answer = await self.ask(path, query=asked, limit=PAGE_LIMIT)
        if answer is None:
            raise Unreadable(self.target, "not-found")
        try:
            outer, items = read_page(answer.body, most=2 * limit)
        except NotStrict as found:
            raise self.astray(answer, found.rule) from None
        following, more = outer.get("next_cursor"), outer.get("has_more")
        if not isinstance(following, str) or len(following) > CURSOR_LIMIT or not isinstance(more, bool):
            raise self.astray(answer, "wrong-shape")
        return Page(items, following, more)

    def astray(self, answer: Answer, rule: str) -> Unreadable:
        """The finding that a readable answer is not the answer to what was asked."""
        return Unreadable(self.target, rule, answer.body[:KEPT_BYTES])

    def understood(self, answer: Answer, shape: TypeAdapter[T], *, by_row: bool = False) -> T:
        """The body of an answer to a question in this shape.

        ``by_row`` leaves U+0000 to who reads its rows, and makes null of a row that says a name twice.

        Raises:
            Unreadable: it has another.
        """
        return _shaped(answer, shape, lambda rule: self.astray(answer, rule), by_row=by_row)

    def proven(self, answer: Answer, shape: TypeAdapter[T], *, by_row: bool = False) -> T:
        """The body of an answer to an effect in this shape; ``by_row`` as in ``understood``.

        Raises:
            OutcomeUnknown: it has another, and so proves nothing.
        """
        return _shaped(
            answer,
            shape,
            lambda rule: OutcomeUnknown(self.target, f"unreadable answer: {rule}"),
            by_row=by_row,
        )

    async def _call(
        self, method: str, path: str, *, body: bytes | None, key: str | None, limit: int, deadline_s: float
    ) -> Answer:
        headers = self._signer.sign(method, self._transport.prefix + path, body=body, idempotency_key=key)
        return await self._transport.call(
            method, path, body=body, headers=headers, deadline_s=deadline_s, max_bytes=limit
        )


def escaped(segment: str) -> str:
    """One segment of a path, safe whatever the id holds."""
    return quote(segment, safe="")


def stated(body: bytes, own_id: str) -> str:
    """The content hash a body of ours states.

    Raises:
        ValueError: the body is not one effect under this own id.
    """
    said: Any = orjson.loads(body)
    if not isinstance(said, dict) or said.get("own_id") != own_id:
        raise ValueError("the body is not the effect with this own id")
    return str(said["content_sha256"])


def _again(error: BaseException) -> bool:
    return isinstance(error, NotDone) and not isinstance(error, Throttled)


def _shaped(
    answer: Answer, shape: TypeAdapter[T], broken: Callable[[str], ShenguanError], *, by_row: bool
) -> T:
    try:
        read(answer.body, by_part=by_row)
        return shape.validate_json(without_doubles(answer.body) if by_row else answer.body, strict=True)
    except NotStrict as found:
        raise broken(found.rule) from None
    except ValidationError:
        raise broken("wrong-shape") from None
