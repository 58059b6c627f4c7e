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
        said = sentence_of(finding)
        if said is None:
            raise
        print(said[1], file=sys.stderr)  # noqa: T201 - the command line speaks here
        sys.exit(said[0])


def sentence_of(finding: Exception) -> tuple[int, str] | None:
    """The exit code and sentence of a finding; None for what is none.

    Asked only when something was raised: a command that fails may wait for these imports, `--help` not.
    """
    from adapters.stack.plan import PortTaken
    from config.city import CityFilesWrong
    from config.settings import SettingsWrong
    from models.domain.errors import ShenguanError
    from models.evidence.signing import SigningKeyBroken
    from models.ledger.connection import LedgerUnavailable
    from models.ledger.keyring import KeyringBroken
    from models.ledger.maintaining import NoMonth
    from models.ledger.setup import is_schema_unfit
    from tasks.fast_clock import WrongLedger
    from tasks.operators.rerun_form import WrongForm

    files = KeyringBroken | SigningKeyBroken
    settings_or_place = SettingsWrong | CityFilesWrong | files | PortTaken | WrongLedger
    wrong_words = WrongForm | NoMonth
    if isinstance(finding, settings_or_place | wrong_words | LedgerUnavailable):
        return USAGE, str(finding)
    if is_schema_unfit(finding):
        return USAGE, "台账的表与程序不符，请先运行 shenguan migrate（属主角色）"
    return (FINDINGS, str(finding)) if isinstance(finding, ShenguanError) else None
