"""A page as one file: template, style and script together, and nothing fetched from anywhere."""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mafnet.common.files import replacing
from mafnet.common.terminal import printable
from mafnet.report.page.content import Content

PACKAGE = "mafnet.report.page"
MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"


def write_page(content: Content, path: Path) -> None:
    """Write a page, whole or not at all."""
    text = render(content)
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def render(content: Content) -> str:
    """The page's HTML; all that comes from data is escaped, its control characters written out."""
    style, script = _asset("style.css"), _asset("script.js")
    template = _environment().get_template("page.html.j2")
    # The texts are this package's own; the policy lets no other style or script through.
    return template.render(
        page=content, metrics=content.metrics, style=Markup(style), script=Markup(script),
        policy=_policy(style, script),
    )  # fmt: skip


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "fixed": fixed, "signed": signed, "count": count, "plural": plural, "flat": flat,
    }  # fmt: skip
    return environment


def _policy(style: str, script: str) -> str:
    """The content security policy: pictures out of the page itself, one style, one script."""
    return (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; "
        f"script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()


def _asset(name: str) -> str:
    return files(PACKAGE).joinpath(name).read_text(encoding="utf-8")


def _finalize(value: object) -> object:
    """A value as the template prints it: names of others with their control characters shown."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(value)
    return value


def fixed(value: float | None, digits: int = 2) -> str:
    """A number with its digits after the point; a dash for none."""
    return NONE if value is None else f"{value:.{digits}f}".replace("-", MINUS)


def signed(value: float | None, digits: int = 1) -> str:
    """The same with its sign."""
    return NONE if value is None else f"{value:+.{digits}f}".replace("-", MINUS)


def count(value: int) -> str:
    """A whole number, `22,000`."""
    return f"{value:,}"


def plural(value: int, word: str, more: str = "") -> str:
    """`1 seed`, `3 seeds`."""
    return f"{count(value)} {word if value == 1 else more or word + 's'}"


def flat(values: Mapping, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Nested settings as (key, value) in texts, the key with points."""
    for key, value in values.items():
        place = (*path, str(key))
        if isinstance(value, Mapping) and value:
            yield from flat(value, place)
        else:
            yield ".".join(place), _written(value)


def _written(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or NONE
    return NONE if value in (None, {}) else str(value)
