"""How the command line tells its findings: one Chinese sentence, no trace, a documented exit code."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

FINE, FINDINGS, USAGE, HELD_REMAIN = 0, 1, 2, 3
_INTERRUPTED = 130


@contextmanager
def told() -> Iterator[None]:
    """Turn findings into their sentence and exit code."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except Exception as finding:
        code = _code_of(finding)
        if code is None:
            raise
        print(finding, file=sys.stderr)  # noqa: T201 - the command line speaks here
        sys.exit(code)


def _code_of(finding: Exception) -> int | None:
    """The exit code of a finding; None for what is none.

    Asked only when something was raised: a command that fails may wait for these imports, `--help` not.
    """
    from adapters.stack.plan import PortTaken
    from config.city import CityFilesWrong
    from config.settings import SettingsWrong
    from models.domain.errors import ShenguanError
    from models.ledger.connection import LedgerUnavailable
    from models.ledger.keyring import KeyringBroken

    if isinstance(finding, SettingsWrong | CityFilesWrong | KeyringBroken | PortTaken | LedgerUnavailable):
        return USAGE
    return FINDINGS if isinstance(finding, ShenguanError) else None
