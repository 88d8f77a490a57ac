"""Bar charts as SVG, which follow the reader's light or dark background."""

from xml.sax.saxutils import escape

WIDTH = 760
LABEL_WIDTH = 270
VALUE_WIDTH = 120
BAR_HEIGHT = 18
STEP = 30
TOP = 34
STYLE = """
text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #1d2430; }
.title { font-weight: 600; font-size: 14px; }
.soft { fill: #5a6675; }
.bar { fill: #8b98a8; } .own { fill: #0b62a8; }
.user { fill: #5a6675; } .own-user { fill: #073f6d; }
.spread { stroke: #1d2430; stroke-width: 1.5; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6eaf0; } .soft { fill: #9aa7b6; }
  .bar { fill: #6b7888; } .own { fill: #5fb0f2; }
  .user { fill: #9aa7b6; } .own-user { fill: #b7dcfb; }
  .spread { stroke: #e6eaf0; }
}
"""


def bars(title, unit, rows):
    """A chart of rows: label, Spread, the part in user mode or `None`, whether it is sipshard's."""
    most = max((value.most for _, value, _, _ in rows), default=0.0) or 1.0
    room = WIDTH - LABEL_WIDTH - VALUE_WIDTH
    height = TOP + STEP * len(rows) + 24
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<text class="title" x="0" y="16">{escape(title)}</text>',
    ]
    for index, (label, value, user, is_own) in enumerate(rows):
        y = TOP + STEP * index
        middle = y + BAR_HEIGHT / 2
        own = "own" if is_own else "bar"

        def at(number):
            return LABEL_WIDTH + max(0.0, number) / most * room

        out.append(f'<text x="0" y="{middle + 5:.1f}">{escape(label)}</text>')
        out.append(rectangle(own, y, at(value.median)))
        if user is not None:
            out.append(rectangle("own-user" if is_own else "user", y, at(user.median)))
        out.append(
            f'<line class="spread" x1="{at(value.least):.1f}" x2="{at(value.most):.1f}" '
            f'y1="{middle}" y2="{middle}"/>'
        )
        end = at(value.most) + 8
        out.append(f'<text x="{end:.1f}" y="{middle + 5:.1f}">{shown(value.median)} {unit}</text>')
    foot = "Bar: median. Line: least to greatest round."
    if any(user is not None for _, _, user, _ in rows):
        foot += " Darker or lighter beginning: user mode."
    out.append(f'<text class="soft" x="0" y="{height - 6}">{foot}</text></svg>')
    return "\n".join(out) + "\n"


def rectangle(style, y, end):
    width = max(0.0, end - LABEL_WIDTH)
    return (
        f'<rect class="{style}" x="{LABEL_WIDTH}" y="{y}" width="{width:.1f}" '
        f'height="{BAR_HEIGHT}" rx="2"/>'
    )


def shown(value):
    """A number with as many digits as matter."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
