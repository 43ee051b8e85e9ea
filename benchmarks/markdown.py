"""Markdown tables, and the part of a page between two comments that a benchmark replaces."""

from pathlib import Path


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
