"""JSON over the one transport, with Prefect's shared login and its CSRF tokens."""

import base64
import json
import re
from collections import Counter
from typing import Any
from uuid import uuid4

from adapters.prefect_api.values import PrefectSaidNo
from adapters.transport import Answer, Transport

_DEADLINE_S = 30.0
_MOST_BYTES = 32 * 1024 * 1024
# Prefect's server closes an idle connection after 5 s; ours must be the first to let go.
_KEPT_S = 2.0
_NO_CSRF = 422  # what the token's route answers where the protection is off
_BAD_TOKEN = 403
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


class PrefectWire:
    """Requests to one Prefect server, bound to the event loop it is used in.

    ``api_url`` ends in ``/api``; ``auth`` is ``user:password`` or None. Every call may raise the
    transport's findings (``NotDone``, ``OutcomeUnknown``, ``Unreadable``) and ``PrefectSaidNo``.
    """

    def __init__(self, api_url: str, *, auth: str | None = None, connections: int = 4) -> None:
        self._transport = Transport(api_url, target="prefect", connections=connections, kept_s=_KEPT_S)
        self._client = str(uuid4())
        self._token: str | None = None
        self.calls: Counter[str] = Counter()
        self._headers = {"content-type": "application/json", "accept": "application/json"}
        if auth:
            self._headers["authorization"] = "Basic " + base64.b64encode(auth.encode()).decode()

    async def aclose(self) -> None:
        """All connections closed."""
        await self._transport.aclose()

    async def get(self, path: str) -> Any:
        """The JSON behind a path."""
        return _content("GET", path, await self._send("GET", path, None))

    async def post(self, path: str, body: Any) -> Any:
        """The JSON answered to a JSON body; None where there is none."""
        return await self._change("POST", path, body)

    async def patch(self, path: str, body: Any) -> Any:
        """As ``post``, for a change of what is there."""
        return await self._change("PATCH", path, body)

    async def put(self, path: str, body: Any) -> Any:
        """As ``post``, for what is replaced whole."""
        return await self._change("PUT", path, body)

    async def delete(self, path: str) -> None:
        """What is there is no longer."""
        await self._change("DELETE", path, None)

    async def _change(self, method: str, path: str, body: Any) -> Any:
        if self._token is None:
            await self._fetch_token()
        raw = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        answer = await self._send(method, path, raw)
        if answer.status == _BAD_TOKEN:  # it lives for an hour, or until the server's database is new
            await self._fetch_token()
            answer = await self._send(method, path, raw)
        return _content(method, path, answer)

    async def _fetch_token(self) -> None:
        answer = await self._send("GET", f"/csrf-token?client={self._client}", None)
        if answer.status == _NO_CSRF:
            self._token = ""
            return
        self._token = _content("GET", "/csrf-token", answer)["token"]

    async def _send(self, method: str, path: str, body: bytes | None) -> Answer:
        self.calls[f"{method} {_ID.sub('{id}', path.partition('?')[0])}"] += 1
        headers = dict(self._headers)
        if self._token:
            headers |= {"prefect-csrf-token": self._token, "prefect-csrf-client": self._client}
        return await self._transport.call(
            method, path, body=body, headers=headers, deadline_s=_DEADLINE_S, max_bytes=_MOST_BYTES
        )


def _content(method: str, path: str, answer: Answer) -> Any:
    route = f"{method} {path.partition('?')[0]}"
    if not 200 <= answer.status < 300:  # noqa: PLR2004 - HTTP's own bounds
        raise PrefectSaidNo(route, answer.status, answer.body[:300].decode(errors="replace"))
    if not answer.body:
        return None
    try:
        return json.loads(answer.body)
    except ValueError as wrong:
        raise PrefectSaidNo(route, answer.status, "not JSON") from wrong
