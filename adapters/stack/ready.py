"""Whether a local program answers: the questions asked while a stack starts."""

import http.client
import json
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

_PATIENCE = 2.0  # seconds for one question


def answers(url: str) -> bool:
    """Whether a GET of a loopback address comes back with 2xx now."""
    try:
        status, _ = _call("GET", url, None, {})
    except OSError:
        return False
    return _is_fine(status)


def ask(url: str, *, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
    """The JSON a program of our own answers: to a GET, or with a ``body`` to a POST of its JSON.

    Raises:
        OSError: it does not answer, or not with 2xx.
    """
    raw = None if body is None else json.dumps(body).encode()
    given = {"Content-Type": "application/json", **(headers or {})}
    status, content = _call("GET" if raw is None else "POST", url, raw, given)
    if not _is_fine(status):
        raise OSError(f"{url}: {status} {content[:300].decode(errors='replace')}")
    return json.loads(content) if content else None


def free_port() -> int:
    """A loopback port nobody listens on now.

    Somebody else may take it before our program does; the program then ends at its start and
    says so in its log.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_port_free(port: int) -> bool:
    """Whether a program of ours could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _call(method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_PATIENCE)
    try:
        connection.request(method, parts.path or "/", body=body, headers=dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as error:
        raise OSError(f"{url}: {type(error).__name__}") from error
    finally:
        connection.close()


def _is_fine(status: int) -> bool:
    return 200 <= status < 300  # noqa: PLR2004 - HTTP's own bounds
