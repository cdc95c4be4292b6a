"""Small charts as SVG: sparkline, stacked bars, ring. Colours come from CSS classes, so themes need no redraw.

A chart never stands alone: print the numbers or a table beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

_LEFT, _BOTTOM, _TOP = 36, 22, 8
_TICK_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


def sparkline(values: Sequence[float], *, width: int = 120, height: int = 32) -> Markup:
    """The shape of a series, hidden from assistive technology. Empty for fewer than two values."""
    if len(values) < 2:
        return Markup("")
    low, span = min(values), (max(values) - min(values)) or 1
    step = width / (len(values) - 1)
    points = " ".join(
        f"{index * step:.1f},{height - 3 - (value - low) / span * (height - 6):.1f}"
        for index, value in enumerate(values)
    )
    return Markup(  # noqa: S704  numbers only
        f'<svg class="p-spark" viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">'
        f'<polygon class="p-ch-area" points="0,{height} {points} {width},{height}"/>'
        f'<polyline class="p-ch-line" points="{points}" vector-effect="non-scaling-stroke"/></svg>'
    )


def ring(percent: float, *, size: int = 56, label: str = "Score") -> Markup:
    """A share of 100 as a ring with the number in it."""
    value = min(max(percent, 0.0), 100.0)
    around = 2 * math.pi * 20
    level = "hi" if value >= 80 else "mid" if value >= 55 else "lo"
    return Markup(
        '<svg class="p-ring p-lv-{}" viewBox="0 0 48 48" width="{}" height="{}" role="img" '
        'aria-label="{} {:.0f} of 100">'
        '<circle class="p-ring-bg" cx="24" cy="24" r="20"/><circle class="p-ring-fg" cx="24" cy="24" r="20" '
        'stroke-dasharray="{:.1f} {:.1f}" transform="rotate(-90 24 24)"/>'
        '<text x="24" y="28.5" text-anchor="middle">{:.0f}</text></svg>'
    ).format(level, size, size, label, value, around * value / 100, around, value)


def bars(
    title: str,
    labels: Sequence[str],
    series: Sequence[tuple[str, Sequence[float]]],
    *,
    width: int = 640,
    height: int = 220,
    unit: str = "",
) -> Markup:
    """Stacked bars, one stack per label; ``series`` are (name, one value per label)."""
    if not labels or not series:
        return Markup("")
    totals = [sum(values[index] for _, values in series) for index in range(len(labels))]
    ticks = _ticks(max([*totals, 1e-9]))
    top = max(ticks[-1], *totals)
    room = height - _BOTTOM - _TOP
    scale = room / top
    named = f"{escape(title)}: last value {totals[-1]:g}{escape(unit)}"
    parts = [f'<svg class="p-chart" viewBox="0 0 {width} {height}" role="img" aria-label="{named}">']
    for tick in ticks:
        y = _TOP + room - tick * scale
        parts.append(
            f'<line class="p-ch-grid" x1="{_LEFT}" x2="{width}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="p-ch-tx" x="{_LEFT - 8}" y="{y + 3.5:.1f}" text-anchor="end">{tick:g}</text>'
        )
    column = (width - _LEFT) / len(labels)
    every = max(1, len(labels) // 7)
    for index, label in enumerate(labels):
        x = _LEFT + index * column
        parts.append(_stack(index, label, series, unit, x=x, column=column, room=room, scale=scale))
        if index % every == 0:
            parts.append(
                f'<text class="p-ch-tx" x="{x + column / 2:.1f}" y="{height - 6}" text-anchor="middle">'
                f"{escape(label)}</text>"
            )
    parts.append("</svg>")
    return Markup("".join(parts))  # noqa: S704  every text was escaped


def _stack(
    index: int,
    label: str,
    series: Sequence[tuple[str, Sequence[float]]],
    unit: str,
    *,
    x: float,
    column: float,
    room: float,
    scale: float,
) -> str:
    tip = f"{label}: " + ", ".join(f"{name} {values[index]:g}{unit}" for name, values in series)
    hit = f'<rect class="p-ch-hit" x="{x:.1f}" y="{_TOP}" width="{column:.1f}" height="{room}"/>'
    parts = [f'<g class="p-ch-bar" data-tip="{escape(tip)}">{hit}']
    base = _TOP + room
    for number, (_, values) in enumerate(series, start=1):
        size = values[index] * scale
        base -= size
        parts.append(
            f'<rect class="p-c{number}" x="{x + column * 0.18:.1f}" y="{base:.1f}" width="{column * 0.64:.1f}" '
            f'height="{size:.1f}" rx="{2 if number == len(series) else 0}"/>'
        )
    return "".join(parts) + "</g>"


def _ticks(highest: float) -> list[float]:
    raw = highest / 4
    magnitude = 10 ** math.floor(math.log10(raw))
    step = next(factor * magnitude for factor in _TICK_STEPS if factor * magnitude >= raw * 0.999)
    count = int(highest / step + 0.999)
    return [step * index for index in range(count + 1)]
