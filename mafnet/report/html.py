"""HTML files that load nothing: templates, and the digests that their policy allows."""

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mafnet.common.terminal import printable


def environment(package: str) -> Environment:
    """The templates of a package. Text is escaped; its control characters are shown as escapes."""
    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        lstrip_blocks=True,
    )


def asset(package: str, name: str) -> str:
    """The text of a file of a package."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def source_hash(text: str) -> str:
    """The name of an embedded style or script in a content security policy."""
    return "'sha256-" + b64encode(sha256(text.encode()).digest()).decode() + "'"


def _finalize(value: object) -> object:
    """A value as the template prints it."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(value)
    return value
