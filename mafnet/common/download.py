"""The one place where files come from the network: resumed, verified, then renamed into place."""

import logging
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from urllib.parse import quote

from mafnet import __version__
from mafnet.common.errors import MafnetError
from mafnet.common.files import replacing, sha256_of
from mafnet.common.progress import Progress

log = logging.getLogger(__name__)

MIRROR = "MAFNET_MIRROR"
"""Environment variable: a folder, or the beginning of an address, that is asked first.

The files lie there under the names that they have here.
"""

CHUNK = 1 << 20
TIMEOUT_SECONDS = 60
TRIES = 3
"""Of one address, as long as each brings the file on."""


class _BrokenOffError(OSError):
    """The connection ended before the file did."""


def obtain(path: Path, addresses: Sequence[str], sha256: str = "") -> Path:
    """The file at `path`, downloaded from the first address that gives the right bytes.

    addresses: http, https or file; the folder or address in MAFNET_MIRROR comes before them.
    sha256: the digest or its beginning. If nobody published one, it is empty: the digest of the
        first download is recorded beside the file and holds from then on.
    A file that is already there is verified and never overwritten. MafnetError says what to do by
    hand if there is no right file at the end.
    """
    sha256 = sha256 or _recorded(path)
    if not path.exists():
        _download(path, addresses, sha256)
    else:
        found = sha256_of(path)
        if not found.startswith(sha256):
            raise MafnetError(
                f"{path}: sha256 is {found[:16]}..., not {sha256}...; it is left as it is: "
                "move it away or replace it by the right file"
            )
    if not sha256:
        _record(path)
    return path


def _download(path: Path, addresses: Sequence[str], sha256: str) -> None:
    """Put the right file at `path`; MafnetError with every address's fault if none has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    faults = []
    for address in [*_mirrored(path.name), *addresses]:
        try:
            _fetch_right(address, part, sha256)
        except (OSError, HTTPException, ValueError) as error:  # ValueError: no address at all
            faults.append(f"{address}: {error}")
            continue
        part.replace(path)
        return
    where = f"fetch {addresses[0]} on a machine with network and" if addresses else "get the file,"
    check = f" (its sha256 begins {sha256})" if sha256 else ""
    raise MafnetError(
        f"{path}: could not be downloaded ({'; '.join(faults) or 'no address is known'}); "
        f"by hand: {where} put it there{check}, or name a folder that holds {path.name} in {MIRROR}"
    )


def _mirrored(name: str) -> list[str]:
    """The address of a file in the mirror, if one is set."""
    mirror = os.environ.get(MIRROR, "")
    if not mirror:
        return []
    base = mirror if "://" in mirror else Path(mirror).resolve().as_uri()
    return [f"{base.rstrip('/')}/{quote(name)}"]


def _fetch_right(address: str, part: Path, sha256: str) -> None:
    """Download the right bytes to `part`; OSError, and no `part`, if the address has others.

    An earlier try's beginning may come from an address with another file: then once from the start.
    """
    for resumed in (True, False) if part.exists() else (False,):
        _fetch_patiently(address, part)
        found = sha256_of(part)
        if found.startswith(sha256):
            return
        part.unlink()
        if not resumed:
            raise OSError(f"sha256 is {found[:16]}..., not {sha256}...")


def _fetch_patiently(address: str, part: Path) -> None:
    """Download to `part`, going on where the connection breaks off."""
    for _ in range(TRIES - 1):
        before = _size(part)
        try:
            return _fetch(address, part)
        except _BrokenOffError:
            if _size(part) == before:
                raise
            log.info("the connection broke off after %d bytes; going on", _size(part))
    return _fetch(address, part)


def _fetch(address: str, part: Path) -> None:
    """Download to `part`, going on where an earlier try stopped."""
    start = _size(part)
    headers = {"User-Agent": f"mafnet/{__version__}"}
    headers |= {"Range": f"bytes={start}-"} if start else {}
    request = urllib.request.Request(address, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if start and error.code == 416:  # everything is there already
            return
        raise
    with response:
        if response.headers.get_content_type() == "text/html":
            raise OSError("it answers with a web page instead of the file")
        kept = start if response.status == 206 else 0  # else the server sends all of it again
        length = int(response.headers.get("Content-Length") or 0)
        log.info("downloading %s", address)
        _save(response, part, kept, length)


def _save(response: urllib.request.addinfourl, part: Path, kept: int, length: int) -> None:
    """Write a response behind the `kept` first bytes; `length`: what it announced, or 0."""
    progress = Progress("download", -(-(kept + length) // CHUNK), "MB", log) if length else None
    if progress:
        progress.skip(kept // CHUNK)
    with part.open("ab" if kept else "wb") as file:
        while chunk := _read(response):
            file.write(chunk)
            if progress:
                progress.advance()
    if length and _size(part) != kept + length:
        raise _BrokenOffError("the connection broke off; run the same command to go on")


def _read(response: urllib.request.addinfourl) -> bytes:
    try:
        return response.read(CHUNK)
    except (OSError, HTTPException) as error:
        raise _BrokenOffError(f"the connection broke off ({error}); run it again") from error


def _size(path: Path) -> int:
    """Bytes of a file, 0 if there is none."""
    return path.stat().st_size if path.exists() else 0


def _record_path(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _recorded(path: Path) -> str:
    """The digest that the first download of a file had, or nothing."""
    record = _record_path(path)
    return record.read_text(encoding="utf-8").split()[0] if record.exists() else ""


def _record(path: Path) -> None:
    """Keep the digest of a file whose digest nobody published, as sha256sum writes it."""
    digest = sha256_of(path)
    log.info("%s: nobody published its sha256; recorded %s...", path, digest[:16])
    with replacing(_record_path(path)) as beside:
        beside.write_text(f"{digest}  {path.name}\n", encoding="utf-8")
