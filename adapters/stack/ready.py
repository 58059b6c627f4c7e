"""Whether a local program answers: the questions asked while a stack starts."""

import http.client
import socket
from urllib.parse import urlsplit

_PATIENCE = 2.0  # seconds for one question


def answers(url: str, *, headers: dict[str, str] | None = None) -> bool:
    """Whether a GET of a loopback address comes back with 2xx now."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_PATIENCE)
    try:
        connection.request("GET", parts.path or "/", headers=headers or {})
        return 200 <= connection.getresponse().status < 300  # noqa: PLR2004 - HTTP's own bounds
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


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
