"""What people see while it goes: a line for each row, one for each mutant, and the end."""

from unicodedata import east_asian_width

COLUMNS = (
    ("行", 4),
    ("故障", 34),
    ("命中", 12),
    ("丢失", 6),
    ("重复", 6),
    ("多发", 6),
    ("无声", 6),
    ("暂挂", 9),
)


class Table:
    """Printed as it comes: rows take minutes."""

    def __init__(self):
        print("".join(_left(name, width) for name, width in COLUMNS) + "排空秒  用时秒", flush=True)

    def row(self, result):
        cells = [
            str(result["row"]),
            result["title"],
            f"{_shown(result['hit'])}（≥{result.get('least', '?')}）",
        ]
        cells += [_shown(result[name]) for name in ("lost", "doubled", "unexpected", "silent")]
        cells.append(f"{_shown(result['held'])}（≤{result.get('held_bound', '?')}）")
        line = "".join(_left(cell, width) for cell, (_, width) in zip(cells, COLUMNS, strict=True))
        line += f"{_left(_shown(result['drained_s']), 8)}{result['seconds']}"
        print(f"{line}  {'通过' if not result['problems'] else '未通过'}", flush=True)
        for problem in result["problems"]:
            print(f"      {problem}", flush=True)

    def mutant(self, result):
        caught = f"被 {result['caught_by']} 发现" if result["caught_by"] else "未被发现"
        print(f"变异体 {_left(result['name'], 36)}{caught}  {result.get('seconds', '')}", flush=True)
        why = result["why"]
        for line in why if isinstance(why, list) else [why]:
            print(f"      {line[:300]}", flush=True)

    def end(self, rows, mutants, seconds):
        failed = sum(bool(row["problems"]) for row in rows)
        loose = sum(mutant["caught_by"] is None for mutant in mutants)
        print(
            f"{len(rows)} 行，未通过 {failed} 行；{len(mutants)} 个变异体，未被发现 {loose} 个；"
            f"{seconds / 60:.1f} 分钟。详见 var/faults/report.json",
            flush=True,
        )


def _shown(value) -> str:
    return "—" if value is None else str(value)


def _left(text: str, width: int) -> str:
    wide = sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)
    return text + " " * max(1, width - wide)
