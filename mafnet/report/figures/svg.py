"""Writes figures as SVG: the same bytes each time, no dates, no links, images as JPEG."""

import base64
import io
import re
import warnings
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from PIL import Image

from mafnet.common.files import replacing
from mafnet.report.jpeg import jpeg_uri

NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
JPEG_QUALITY = 80


def write_svg(figure: Figure, path: Path) -> None:
    """Write a figure, whole or not at all; call it in the `rc_context` that it was drawn in."""
    # Identifiers are hashes of what they name; the salt keeps those of two figures apart.
    with mpl.rc_context({"svg.hashsalt": path.stem}), warnings.catch_warnings():
        # The reader's font may have the glyphs that this font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata=NO_METADATA)
    with replacing(path) as beside:
        beside.write_text(tidy(buffer.getvalue()), encoding="utf-8")


def tidy(svg: str) -> str:
    """An SVG without its document type, whose address some readers fetch, and with JPEG images.

    matplotlib has no option for either: it always embeds PNG.
    """
    svg = re.sub(r"<!DOCTYPE[^>]*>\s*", "", svg, count=1)
    return re.sub(r"data:image/png;base64,([A-Za-z0-9+/=\s]+)", _as_jpeg, svg)


def _as_jpeg(match: re.Match) -> str:
    return jpeg_uri(Image.open(io.BytesIO(base64.b64decode(match[1]))), JPEG_QUALITY)
