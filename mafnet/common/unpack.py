"""Archives from elsewhere, unpacked without letting them write anywhere else."""

import tarfile
import zlib
from pathlib import Path, PurePosixPath

from mafnet.common.errors import MafnetError


def unpack_tar(archive: Path, folder: Path) -> None:
    """Unpack a tar archive, compressed or not, into `folder`.

    All members are looked at before the first is written: MafnetError names one that is neither a
    plain file nor a folder (links, devices), or whose place would be outside `folder`.
    """
    try:
        with tarfile.open(archive) as tar:
            members = tar.getmembers()
            for member in members:
                _check(archive, member)
            tar.extractall(folder, members, filter="data")
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise MafnetError(
            f"{archive}: cannot be unpacked ({error}); delete it and fetch it again"
        ) from error


def _check(archive: Path, member: tarfile.TarInfo) -> None:
    place = PurePosixPath(member.name)
    if place.is_absolute() or ".." in place.parts or not (member.isfile() or member.isdir()):
        raise MafnetError(
            f"{archive}: {member.name!r} is a link or lies outside of the archive's folder; "
            "do not use this file"
        )
