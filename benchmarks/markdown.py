"""Markdown tables, and the part of a page between two comments that a benchmark replaces."""

from pathlib import Path

from mafnet.report.statistics.two_way import Estimate


def write_marked(name: str, text: str, page: Path) -> None:
    """Replace the text between `<!-- NAME -->` and `<!-- /NAME -->`; ValueError without them."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, found, rest = page.read_text().partition(start)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{page}: has no {start} ... {end}")
    page.write_text(f"{before}{start}\n{text.strip()}\n{end}{after}")


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def points(difference: Estimate) -> str:
    """A difference in percentage points with its 95 % interval."""
    mean, half = 100 * difference.mean, 100 * difference.half_width
    return f"{mean:+.1f} [{mean - half:+.1f}, {mean + half:+.1f}]"
