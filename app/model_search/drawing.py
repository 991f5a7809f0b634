"""`front.svg`: speed against the size that is found, of every configuration that was tried."""

from collections.abc import Sequence
from html import escape
from math import ceil, floor, inf, log2

from app.model_search.result import Result, front, latest
from app.model_search.wish import Wish

FRONT = "front.svg"
LEFT, TOP, WIDTH, HEIGHT = 70, 44, 560, 330
LEGEND = 300
COLOURS = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#6b6b6b", "#8c564b", "#000000"
"""Okabe and Ito's colours, which people with colour blindness can tell apart, and four more."""

NOT_FOUND = 18
"""The height of the row of configurations that find no size, in SVG units."""


class _Axis:
    """A logarithmic axis with a tick at each power of two."""

    def __init__(self, values: Sequence[float], length: float) -> None:
        self.low, self.high = floor(log2(min(values)) - 0.1), ceil(log2(max(values)) + 0.1)
        self._length = length

    def at(self, value: float) -> float:
        """The place of a value, as far as the axis reaches, in SVG units from its lower end."""
        octaves = min(max(log2(value) if value > 0 else -inf, self.low), self.high) - self.low
        return self._length * octaves / (self.high - self.low)

    @property
    def ticks(self) -> list[float]:
        """The powers of two."""
        return [2.0**power for power in range(self.low, self.high + 1)]


def draw_front(results: Sequence[Result], wish: Wish) -> str:
    """The plot as SVG. Filled dots are results of the last round; the wish is a green corner."""
    last, shown = max(each.round for each in results), latest(results)
    sizes = [each.size for each in shown if each.size < inf]
    x = _Axis([each.rate for each in shown] + [wish.rate] * (wish.rate > 0), WIDTH)
    y = _Axis([*sizes, wish.size], HEIGHT)
    names = list(dict.fromkeys(each.name.partition(",")[0] for each in shown))
    colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(names)}
    bottom = TOP + HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + LEGEND} {bottom + 60}" '
        'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="{LEFT}" y="18" font-size="13">Size of a {escape(wish.kind)} at {100 * wish.contrast:.3g} % contrast '
        "that is found with 95 % probability, by speed on this machine</text>",
        *_wish(wish, x, y),
        *_axes(x, y),
    ]
    best = front(shown, wish)
    if best:
        steps = "".join(f"H{LEFT + x.at(each.rate):.1f}V{bottom - y.at(each.size):.1f}" for each in best[1:])
        start = f"M{LEFT + x.at(best[0].rate):.1f} {bottom - y.at(best[0].size):.1f}"
        parts.append(f'<path class="front" d="{start}{steps}" fill="none" stroke="#999" stroke-dasharray="4 3"/>')
    parts.extend(_dot(each, colours[each.name.partition(",")[0]], each.round == last, x, y) for each in shown)
    for number, name in enumerate(names):
        at = TOP + 18 * number
        parts.append(f'<circle cx="{LEFT + WIDTH + 20}" cy="{at}" r="5" fill="{colours[name]}"/>')
        parts.append(f'<text x="{LEFT + WIDTH + 32}" y="{at + 4}">{escape(name)}</text>')
    notes = "filled: last round", "hollow: earlier rounds, fewer marks", "bars: 95 % intervals", "green: the wish"
    for number, note in enumerate(notes, start=len(names) + 1):
        parts.append(f'<text x="{LEFT + WIDTH + 14}" y="{TOP + 18 * number}" fill="#555">{note}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _axes(x: _Axis, y: _Axis) -> list[str]:
    bottom = TOP + HEIGHT
    parts = []
    for tick in x.ticks:
        at = LEFT + x.at(tick)
        parts.append(f'<path d="M{at:.1f} {TOP}V{bottom}" stroke="#eee"/>')
        parts.append(f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>')
    for tick in y.ticks:
        at = bottom - y.at(tick)
        parts.append(f'<path d="M{LEFT} {at:.1f}H{LEFT + WIDTH}" stroke="#eee"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{tick:g}</text>')
    parts.append(f'<text x="{LEFT - 8}" y="{TOP - NOT_FOUND + 8}" text-anchor="end">not found</text>')
    centre, middle = LEFT + WIDTH / 2, TOP + HEIGHT / 2
    parts.append(
        f'<text x="{centre}" y="{bottom + 40}" text-anchor="middle">pictures a second, with short queues</text>'
    )
    parts.append(f'<text transform="translate(18 {middle}) rotate(-90)" text-anchor="middle">size in pixels</text>')
    return parts


def _wish(wish: Wish, x: _Axis, y: _Axis) -> list[str]:
    left, top = LEFT + (x.at(wish.rate) if wish.rate else 0.0), TOP + HEIGHT - y.at(wish.size)
    width, height = LEFT + WIDTH - left, TOP + HEIGHT - top
    return [
        f'<rect class="wish" x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" fill="#e5f5e5"/>'
    ]


def _dot(result: Result, colour: str, is_last: bool, x: _Axis, y: _Axis) -> str:
    """The dot of a result, with its interval and a title; above the plot if no size is found."""
    at, bottom = LEFT + x.at(result.rate), TOP + HEIGHT
    fill = colour if is_last else "#fff"
    title = f"<title>{escape(result.name)}: {escape(str(result.grade))}, {result.rate:.3g} pictures a second</title>"
    if result.size == inf:
        height, bar = float(TOP - NOT_FOUND + 4), ""
    else:
        height = bottom - y.at(result.size)
        low, high = (bottom - y.at(end) for end in result.interval)
        bar = f'<path d="M{at:.1f} {low:.1f}V{high:.1f}" stroke="{colour}" stroke-width="1.5" opacity="0.6"/>'
    return (
        f'<g class="result">{bar}<circle cx="{at:.1f}" cy="{height:.1f}" r="5" fill="{fill}" stroke="{colour}" '
        f'stroke-width="1.5">{title}</circle></g>'
    )
