"""The table and the plot of a run, written beside the scripts."""

from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
BAR_HEIGHT, LABEL_WIDTH, BAR_WIDTH = 26, 250, 420


def write_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def replace_block(name: str, text: str) -> None:
    """Put a text between the marks of a name in the README of the benchmarks."""
    path = HERE / "README.md"
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, _, rest = path.read_text().partition(begin)
    _, _, after = rest.partition(end)
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def write_plot(path: Path, title: str, bars: Sequence[tuple[str, float]]) -> None:
    """Draw horizontal bars as SVG."""
    most = max(value for _, value in bars)
    width, height = LABEL_WIDTH + BAR_WIDTH + 90, BAR_HEIGHT * len(bars) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="8" y="20" font-weight="bold">{title}</text>',
    ]
    for index, (label, value) in enumerate(bars):
        top = 32 + index * BAR_HEIGHT
        length = max(1.0, BAR_WIDTH * value / most)
        colour = "#1f6f8b" if label.startswith("gateway") else "#b0b7bd"
        parts += [
            f'<text x="{LABEL_WIDTH - 8}" y="{top + 15}" text-anchor="end">{label}</text>',
            f'<rect x="{LABEL_WIDTH}" y="{top + 3}" width="{length:.1f}" height="{BAR_HEIGHT - 8}" fill="{colour}"/>',
            f'<text x="{LABEL_WIDTH + length + 6:.1f}" y="{top + 15}">{value:,.0f}</text>',
        ]
    path.write_text("\n".join([*parts, "</svg>"]) + "\n")
