"""How the command line tells its findings: one Chinese sentence, no trace, a documented exit code."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from config.city import CityFilesWrong
from config.settings import SettingsWrong
from models.domain.errors import ShenguanError

FINE, FINDINGS, USAGE, HELD_REMAIN = 0, 1, 2, 3


@contextmanager
def told() -> Iterator[None]:
    """Turn findings into their sentence and exit code."""
    from adapters.stack.plan import PortTaken
    from models.ledger.connection import LedgerUnavailable
    from models.ledger.keyring import KeyringBroken

    try:
        yield
    except (SettingsWrong, CityFilesWrong, KeyringBroken, PortTaken, LedgerUnavailable) as wrong:
        print(wrong, file=sys.stderr)  # noqa: T201 - the command line speaks here
        sys.exit(USAGE)
    except ShenguanError as finding:
        print(finding, file=sys.stderr)  # noqa: T201 - as above
        sys.exit(FINDINGS)
    except KeyboardInterrupt:
        sys.exit(130)
