"""One case by its number."""

from uuid import UUID

from models.domain.errors import ShenguanError
from models.ledger.connection import Ledger
from models.ledger.queries import cases


class UnknownCase(ShenguanError):  # noqa: N818 - named as the finding it is
    """The ledger holds no case of this number."""

    def __init__(self, case_no: str) -> None:
        super().__init__(case_no)
        self.case_no = case_no

    def __str__(self) -> str:
        return f"台账中没有编号为 {self.case_no} 的办件"


async def find_case(ledger: Ledger, case_no: str) -> UUID:
    """The case's id.

    Raises:
        UnknownCase: there is none.
    """
    async with ledger.reading() as conn:
        found = await cases.find(conn, [case_no])
    if case_no not in found:
        raise UnknownCase(case_no)
    identity: UUID = found[case_no]["id"]
    return identity
