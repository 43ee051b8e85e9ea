"""Runs one decoder process and reads its output with a time limit and bounded memory."""

import os
import re
import resource
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Self

KEPT_CHARACTERS = 600
"""Characters of error text that are kept, the last ones."""

_CHUNK = 65_536

_LEVEL = re.compile(rb"\[(panic|fatal|error|warning)\] ")

_LOST = re.compile(
    rb"corrupt decoded frame|Error submitting packet to decoder|Decoding error:"
    rb"|Error while decoding stream"
)
"""Messages of ffmpeg about one frame or packet, in versions 5 to 9."""


class Pipe:
    """A running command whose standard output is read in pieces of a known size.

    One thread reads standard output and standard error as data arrives. So a command that prints
    many errors does not block. Lines of level `warning` (ffmpeg's `-loglevel level+warning`) are no
    errors. `lost_frames` counts frames and packets that ffmpeg reports as corrupt or undecodable.

    Only the time spent in the methods of this class counts against `timeout_seconds`: a slow reader
    does not cause a timeout. Raises TimeoutError after that time.
    memory_bytes: limit of the command's address space.
    watched: parts of error lines; `reported` tells for each of them if it occurred.
    """

    def __init__(
        self,
        command: list[str],
        timeout_seconds: float,
        memory_bytes: int | None = None,
        watched: Sequence[bytes] = (),
    ) -> None:
        # A new session: the whole group can be killed, and Ctrl-C reaches only this process.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        if memory_bytes:
            limit_memory(self._process.pid, memory_bytes)
        self._out = self._process.stdout.fileno()
        self._err = self._process.stderr.fileno()
        self._open = {self._out, self._err}
        self._poll = select.poll()
        for descriptor in self._open:
            self._poll.register(descriptor, select.POLLIN)
        self._seconds_left = timeout_seconds
        self._tail = b""
        self._line = b""
        self._is_error = True
        self.error_lines = 0
        self.lost_frames = 0
        self.reported = dict.fromkeys(watched, False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def read_into(self, view: memoryview) -> int:
        """Fill `view` (bytes) from the output; returns the bytes read, fewer only at the end."""
        filled = 0
        with self._clock() as deadline:
            while filled < len(view) and self._out in self._open:
                filled += self._read_some(view[filled:], deadline)
        return filled

    def finish(self) -> int:
        """Read the rest of both outputs; returns the exit status (-N for signal N)."""
        with self._clock() as deadline:
            ignored = memoryview(bytearray(_CHUNK))
            while self._open:
                self._read_some(ignored, deadline)
            try:
                return self._process.wait(max(deadline - time.monotonic(), 0))
            except subprocess.TimeoutExpired as error:
                raise TimeoutError from error

    def close(self) -> None:
        """Kill the command if it still runs and close the pipes; may be called more than once."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process.stdout.close()
        self._process.stderr.close()

    @property
    def message(self) -> str:
        """The end of the error text, see `message_of`."""
        return message_of(self._tail)

    @contextmanager
    def _clock(self) -> Iterator[float]:
        """The deadline of a block; the duration of the block is subtracted from the time left."""
        deadline = time.monotonic() + self._seconds_left
        try:
            yield deadline
        finally:
            self._seconds_left = deadline - time.monotonic()

    def _read_some(self, view: memoryview, deadline: float) -> int:
        """Wait for either output; returns the bytes put into `view`, 0 if only errors arrived."""
        ready = self._wait(deadline)
        if self._err in ready:
            self._read_errors()
        if self._out not in ready:
            return 0
        return os.readv(self._out, [view]) or self._ended(self._out)

    def _wait(self, deadline: float) -> list[int]:
        left = deadline - time.monotonic()
        ready = self._poll.poll(left * 1000) if left > 0 else []
        if not ready:
            raise TimeoutError
        return [descriptor for descriptor, _ in ready]

    def _read_errors(self) -> None:
        chunk = os.read(self._err, _CHUNK)
        *lines, rest = (self._line + chunk).split(b"\n")
        self._line = rest[-_CHUNK:]
        for line in lines:
            self._read_line(line + b"\n")
        if not chunk:
            if self._line:
                self._read_line(self._line)
            self._ended(self._err)

    def _read_line(self, line: bytes) -> None:
        """Count a line; a line without a level continues the line before."""
        level = _LEVEL.search(line)
        if level:
            self._is_error = level[1] != b"warning"
            line = line[: level.start()] + line[level.end() :]
        self.lost_frames += bool(_LOST.search(line))
        for text in self.reported:
            self.reported[text] |= text in line
        if self._is_error:
            self.error_lines += line.endswith(b"\n")
            self._tail = (self._tail + line)[-4 * KEPT_CHARACTERS :]

    def _ended(self, descriptor: int) -> int:
        self._open.remove(descriptor)
        self._poll.unregister(descriptor)
        return 0


def message_of(text: bytes) -> str:
    """The end of ffmpeg's error text on one line, without addresses, which change in every run."""
    lines = re.sub(r" @ 0x[0-9a-fA-F]+", "", text.decode("utf-8", "replace")).splitlines()
    return "; ".join(lines)[-KEPT_CHARACTERS:]


def limit_memory(process: int, memory_bytes: int) -> None:
    """Limit the address space of a process that has just started, where the system can."""
    if hasattr(resource, "prlimit"):
        # A process that has ended needs no limit; a lower limit of the user stays.
        with suppress(ProcessLookupError, PermissionError, ValueError):
            resource.prlimit(process, resource.RLIMIT_AS, (memory_bytes, memory_bytes))
