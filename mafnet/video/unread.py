"""Files whose end no demuxer reads: a second file that was appended, or damage in the middle."""

import mmap
from pathlib import Path

from mafnet.video.packets import Packets

UNREAD_FRACTION = 0.1
"""Larger shares of a file after its last packet are named."""

_TO_THE_END = ("mpegts", "mpeg", "flv", "ogg")
"""Containers that have packets up to their end. Others have tables there."""

_MP4 = b"ftyp"


def has_unread_end(path: Path, container: str, packets: Packets, size_bytes: int) -> bool:
    """True if packets may follow the last one that the demuxer found.

    In an MP4 file that is the case if a second file was appended.
    """
    end = packets.end_position
    if container in _TO_THE_END:
        return size_bytes - end > UNREAD_FRACTION * size_bytes
    if "mp4" not in container or end >= size_bytes:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        # The name and the brand of the first box, which every appended file has too.
        mark = content[4:12]
        return mark.startswith(_MP4) and content.find(mark, end) >= 0
