"""Write figures as SVG: reproducible bytes, no dates, no links, images as JPEG."""

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
    """Write a figure atomically. Call it in the `rc_context` in which the figure was drawn."""
    # Identifiers are hashes of the content; the salt makes those of two figures different.
    with mpl.rc_context({"svg.hashsalt": path.stem}), warnings.catch_warnings():
        # The reader's font may have glyphs that are missing in this font.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata=NO_METADATA)
    with replacing(path, sealed=True) as beside:
        beside.write_text(tidy(buffer.getvalue()), encoding="utf-8")


def tidy(svg: str) -> str:
    """An SVG without its document type and with JPEG images.

    Some viewers download the address in the document type. matplotlib has no option for either.
    """
    svg = re.sub(r"<!DOCTYPE[^>]*>\s*", "", svg, count=1)
    return re.sub(r"data:image/png;base64,([A-Za-z0-9+/=\s]+)", _as_jpeg, svg)


def _as_jpeg(match: re.Match) -> str:
    return jpeg_uri(Image.open(io.BytesIO(base64.b64decode(match[1]))), JPEG_QUALITY)
