"""Writes figures as SVG: the same bytes each time, no dates, no links, small pictures."""

import base64
import io
import re
import warnings
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.image import imread, imsave

from mafnet.common.files import replacing

NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
JPEG_QUALITY = 80


def write_svg(figure: Figure, path: Path) -> None:
    """Write a figure, whole or not at all; call it in the `rc_context` that it was drawn in."""
    # Identifiers are hashes of what they name; the salt keeps those of two figures apart.
    with mpl.rc_context({"svg.hashsalt": path.stem}), warnings.catch_warnings():
        # What the font lacks, the font of the one who looks at it may have.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata=NO_METADATA)
    with replacing(path) as beside:
        beside.write_text(tidy(buffer.getvalue()), encoding="utf-8")


def tidy(svg: str) -> str:
    """An SVG without document type, its pictures as JPEG, which is a fifth of PNG."""
    svg = re.sub(r"<!DOCTYPE[^>]*>\s*", "", svg, count=1)
    return re.sub(r"data:image/png;base64,([A-Za-z0-9+/=\s]+)", _as_jpeg, svg)


def _as_jpeg(match: re.Match) -> str:
    pixels = imread(io.BytesIO(base64.b64decode(match[1])), format="png")
    buffer = io.BytesIO()
    imsave(buffer, pixels[..., :3], format="jpeg", pil_kwargs={"quality": JPEG_QUALITY})
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
