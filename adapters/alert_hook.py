"""A webhook called by ourselves: for when Prefect, which would call it, is down."""

from urllib.parse import urlsplit, urlunsplit

from adapters.prefect_api.automations import body_of
from adapters.prefect_api.events import why_not_taken
from adapters.transport import Transport

_DEADLINE_S = 10.0
_MOST_BYTES = 64 * 1024


async def call_hook(url: str, said: str) -> str | None:
    """Post the sentence as an automation would; None when it was taken, else why not.

    Raises:
        NotDone, OutcomeUnknown, Unreadable: as the transport says. A message may then come twice or never.
    """
    parts = urlsplit(url)
    base = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
    transport = Transport(base, target="alerts", connections=1, kept_s=0)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        answer = await transport.call(
            "POST",
            path,
            body=body_of(said).encode(),
            headers={"content-type": "application/json; charset=utf-8"},
            deadline_s=_DEADLINE_S,
            max_bytes=_MOST_BYTES,
        )
    finally:
        await transport.aclose()
    return why_not_taken(answer.status, answer.body.decode(errors="replace"))
