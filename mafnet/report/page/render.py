"""A page as one file with its style and script; the browser loads nothing else."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from markupsafe import Markup

from mafnet.common.files import replacing
from mafnet.report.html import asset, environment, source_hash
from mafnet.report.page.content import Content

PACKAGE = "mafnet.report.page"
MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"


def write_page(content: Content, path: Path) -> None:
    """Write a page atomically."""
    text = render(content)
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def render(content: Content) -> str:
    """The page's HTML. All text from data is escaped; control characters are shown as escapes."""
    style, script = asset(PACKAGE, "style.css"), asset(PACKAGE, "script.js")
    templates = environment(PACKAGE)
    templates.filters |= {
        "fixed": fixed, "signed": signed, "count": count, "plural": plural, "flat": flat,
    }  # fmt: skip
    template = templates.get_template("page.html.j2")
    # Both are files of this package, so they are not escaped. The policy blocks all others.
    return template.render(
        page=content, metrics=content.metrics, style=Markup(style), script=Markup(script),
        policy=_policy(style, script),
    )  # fmt: skip


def _policy(style: str, script: str) -> str:
    """The content security policy: only embedded images, this style and this script."""
    return (
        f"default-src 'none'; img-src data:; style-src {source_hash(style)}; "
        f"script-src {source_hash(script)}; base-uri 'none'; form-action 'none'"
    )


def fixed(value: float | None, digits: int = 2) -> str:
    """A number with a fixed number of decimals; a dash for None."""
    return NONE if value is None else f"{value:.{digits}f}".replace("-", MINUS)


def signed(value: float | None, digits: int = 1) -> str:
    """A number with its sign and a fixed number of decimals; a dash for None."""
    return NONE if value is None else f"{value:+.{digits}f}".replace("-", MINUS)


def count(value: int) -> str:
    """An integer with separators: `22,000`."""
    return f"{value:,}"


def plural(value: int, word: str, more: str = "") -> str:
    """`1 seed`, `3 seeds`."""
    return f"{count(value)} {word if value == 1 else more or word + 's'}"


def flat(values: Mapping, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Nested settings as pairs (dotted key, value), both as text."""
    for key, value in values.items():
        keys = (*path, str(key))
        if isinstance(value, Mapping) and value:
            yield from flat(value, keys)
        else:
            yield ".".join(keys), _written(value)


def _written(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or NONE
    return NONE if value in (None, {}) else str(value)
