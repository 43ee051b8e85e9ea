"""The one place where files come from the network: resumed, verified, then renamed into place."""

import logging
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from mafnet.errors import MafnetError
from mafnet.files import sha256_of
from mafnet.progress import Progress

log = logging.getLogger(__name__)

CHUNK = 1 << 20
TIMEOUT_SECONDS = 60


def obtain(path: Path, addresses: Sequence[str], sha256: str) -> Path:
    """The file at `path`, downloaded from the first address that gives the right bytes.

    sha256: the digest or its beginning. A file that is already there is verified and never
    overwritten. MafnetError says what to do by hand if there is no right file at the end.
    """
    if path.exists():
        _verify(path, sha256, path)
        return path
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    faults = []
    for address in addresses:
        try:
            _fetch(address, part)
            _verify(part, sha256, address)
        except (OSError, MafnetError) as error:
            faults.append(f"{address}: {error}")
            continue
        part.replace(path)
        return path
    raise MafnetError(
        f"{path}: could not be downloaded ({'; '.join(faults)}); fetch it by hand on a machine "
        f"with network and put it there (sha256 begins {sha256})"
    )


def _verify(path: Path, sha256: str, source: object) -> None:
    """MafnetError if a file has other bytes; a finished download of wrong bytes is removed."""
    found = sha256_of(path)
    if found.startswith(sha256):
        return
    if path.suffix == ".part":
        path.unlink()
    raise MafnetError(f"{source}: sha256 is {found[:16]}..., not {sha256}...; replace the file")


def _fetch(address: str, part: Path) -> None:
    """Download to `part`, going on where an earlier try stopped."""
    start = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(address, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if start and error.code == 416:  # everything is there already
            return
        raise
    with response:
        resumed = start and response.status == 206
        total = int(response.headers.get("Content-Length") or 0)
        log.info("downloading %s", address)
        progress = Progress("download", max(1, -(-total // CHUNK)), "MB", log)
        with part.open("ab" if resumed else "wb") as file:
            while chunk := response.read(CHUNK):
                file.write(chunk)
                progress.advance()
        if total and part.stat().st_size != total + (start if resumed else 0):
            raise OSError("the connection broke off; run the same command to go on")
