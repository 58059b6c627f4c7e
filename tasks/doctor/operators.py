"""The doctor's look at the accounts: is somebody guessing codes, are there two for a release."""

from models.ledger.bulk import Conn
from models.ledger.queries import operators
from tasks.doctor.diagnosis import Finding, attention, fine
from tasks.operators.accounts import DOORS, GUESSED_HOURS, read_guessed

_WHAT = "经办人"


async def look_at_operators(conn: Conn) -> list[Finding]:
    """Wrong codes in a row, names that nobody has, and how many accounts there are."""
    found = [
        attention(
            _WHAT,
            f"{each.name} 在{DOORS[each.door]}连续 {each.wrong_codes} 次口令错误，可能有人在试",
            "问本人；是本人则 shenguan operator unlock，不是则更换 Prefect 登录口令",
        )
        for each in await read_guessed(conn)
    ]
    if unknown := await operators.unknown_names(conn, hours=GUESSED_HOURS):
        said = f"{GUESSED_HOURS} 小时内有 {unknown} 次使用了不存在的账户名"
        found.append(attention(_WHAT, said, "查 operator_acts 表；不是笔误则更换 Prefect 登录口令"))
    living = [row for row in await operators.accounts(conn) if row["disabled_at"] is None]
    return found or [fine(_WHAT, f"{len(living)} 个账户在用（放行短信须两人）")]
