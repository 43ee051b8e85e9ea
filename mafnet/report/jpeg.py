"""Images as JPEG in data: URIs. They have a fifth of the size of PNG."""

import io
from base64 import b64encode

from PIL import Image


def jpeg_uri(image: Image.Image, quality: int) -> str:
    """An image as a data: URI; quality: of JPEG, 1 to 95."""
    written = io.BytesIO()
    image.convert("RGB").save(written, "JPEG", quality=quality)
    return "data:image/jpeg;base64," + b64encode(written.getvalue()).decode()
