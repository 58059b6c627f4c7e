"""Pictures for the desk as SVG in a ``data:`` address: both of Prefect's UIs draw it, with no network.

Each picture has a ground of its own, so that it reads on a dark page as on a light one.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 760
_SHORT_LABEL = 6
GREEN, AMBER, RED, BLUE, GREY = "#1a7f4e", "#b26a00", "#c0282d", "#2563a8", "#8a94a3"
INK, SOFT, GROUND, LINE = "#1c2733", "#5b6876", "#fbfcfe", "#e3e8ef"
_FONT = "'PingFang SC','Microsoft YaHei','Noto Sans CJK SC','Noto Sans SC',sans-serif"


@dataclass(frozen=True, slots=True)
class Tile:
    """One number with its name; ``colour`` says whether it matters."""

    name: str
    value: str
    colour: str = INK


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a chart: parts of (value, colour), and what stands behind them."""

    name: str
    parts: tuple[tuple[int, str], ...]
    said: str


def card(title: str, under: str, tiles: Sequence[Tile], *, colour: str) -> str:
    """The light, the one line, and the numbers below it."""
    rows = -(-len(tiles) // 5)
    height = 100 + 78 * rows
    parts = [
        f'<rect x="0" y="0" width="8" height="{height}" rx="4" fill="{colour}"/>',
        f'<circle cx="44" cy="40" r="16" fill="{colour}"/>',
        _text(74, 38, title, size=26, weight=700, middle=True),
        _text(74, 76, under, size=13, colour=SOFT),
    ]
    for at, tile in enumerate(tiles):
        x, y = 24 + (at % 5) * 146, 98 + (at // 5) * 78
        parts += [
            f'<rect x="{x}" y="{y}" width="136" height="66" rx="8" fill="#fff" stroke="{LINE}"/>',
            _text(x + 12, y + 34, tile.value, size=24, weight=700, colour=tile.colour),
            _text(x + 12, y + 55, tile.name, size=13, colour=SOFT),
        ]
    return _svg(height, parts)


def bars(title: str, rows: Sequence[Bar], *, legend: Sequence[tuple[str, str]] = ()) -> str:
    """Rows of bars on one scale, with their numbers; an empty chart says so."""
    height = 56 + 30 * max(1, len(rows)) + 8
    parts = [_text(24, 34, title, size=17, weight=700)]
    x = WIDTH - 24
    for name, colour in reversed(legend):
        x -= 18 + 14 * len(name)
        parts.append(f'<rect x="{x}" y="23" width="11" height="11" rx="2" fill="{colour}"/>')
        parts.append(_text(x + 16, 33, name, size=12, colour=SOFT))
        x -= 8
    if not rows:
        parts.append(_text(24, 74, "今日还没有", size=14, colour=SOFT))
    most = max((sum(value for value, _ in row.parts) for row in rows), default=0) or 1
    widest = 420 if max((len(row.said) for row in rows), default=0) <= _SHORT_LABEL else 300
    for at, row in enumerate(rows):
        top, left = 52 + 30 * at, 216.0
        parts.append(_text(206, top + 15, _short(row.name, 13), size=14, anchor="end"))
        for value, colour in row.parts:
            width = widest * value / most
            if value:
                shape = f'x="{left:.1f}" y="{top}" width="{max(width, 2):.1f}" height="20" rx="3"'
                parts.append(f'<rect {shape} fill="{colour}"/>')
            left += width
        parts.append(_text(left + 8, top + 15, row.said, size=13, colour=SOFT))
    return _svg(height, parts)


def columns(title: str, values: Sequence[tuple[str, int]], *, colour: str = BLUE) -> str:
    """Upright bars side by side, each with its name below and its number above."""
    height, ground = 200, 166
    most = max((value for _, value in values), default=0) or 1
    step = (WIDTH - 48) / max(1, len(values))
    parts = [
        _text(24, 34, title, size=17, weight=700),
        f'<line x1="24" y1="{ground}" x2="{WIDTH - 24}" y2="{ground}" stroke="{LINE}"/>',
    ]
    for at, (name, value) in enumerate(values):
        x, tall = 24 + at * step, 100 * value / most
        if value:
            parts.append(
                f'<rect x="{x + step * 0.15:.1f}" y="{ground - tall:.1f}" width="{step * 0.7:.1f}"'
                f' height="{tall:.1f}" rx="2" fill="{colour}"/>'
            )
            parts.append(
                _text(x + step / 2, ground - tall - 5, str(value), size=11, colour=SOFT, anchor="middle")
            )
        parts.append(_text(x + step / 2, ground + 18, name, size=11, colour=SOFT, anchor="middle"))
    return _svg(height, parts)


def picture(name: str, svg: str) -> str:
    """The markdown that shows it; ``name`` is what is read where pictures are not."""
    data = base64.b64encode(svg.encode()).decode()
    return f"![{name}](data:image/svg+xml;base64,{data})"


def _svg(height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"'
        f' viewBox="0 0 {WIDTH} {height}" font-family="{_FONT}">'
        f'<rect width="{WIDTH}" height="{height}" rx="10" fill="{GROUND}"/>{"".join(parts)}</svg>'
    )


def _text(
    x: float,
    y: float,
    said: str,
    *,
    size: int,
    colour: str = INK,
    weight: int = 400,
    anchor: str = "start",
    middle: bool = False,
) -> str:
    base = ' dominant-baseline="central"' if middle else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" fill="{colour}"'
        f' text-anchor="{anchor}"{base}>{escape(said)}</text>'
    )


def _short(said: str, most: int) -> str:
    return said if len(said) <= most else f"{said[: most - 1]}…"
