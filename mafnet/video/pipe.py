"""Runs one decoder process and reads its output with a time limit and bounded memory."""

import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self

KEPT_CHARACTERS = 600
"""Characters of error text that are kept, the last ones."""

_CHUNK = 65_536


class Pipe:
    """A running command whose standard output is read in pieces of a known size.

    One thread reads standard output and standard error as data arrives. So a command that prints
    many errors does not block. Only the time spent in the methods of this class counts against
    `timeout_seconds`: a slow reader does not cause a timeout. Raises TimeoutError after that time.
    """

    def __init__(self, command: list[str], timeout_seconds: float) -> None:
        # A new session: the whole group can be killed, and Ctrl-C reaches only this process.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        self._out = self._process.stdout.fileno()
        self._err = self._process.stderr.fileno()
        self._open = {self._out, self._err}
        self._poll = select.poll()
        for descriptor in self._open:
            self._poll.register(descriptor, select.POLLIN)
        self._seconds_left = timeout_seconds
        self._tail = b""
        self.error_lines = 0

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
        """The end of the error text on one line, without addresses, which change in every run."""
        text = self._tail.decode("utf-8", "replace")
        text = re.sub(r" @ 0x[0-9a-fA-F]+", "", text)
        return "; ".join(text.splitlines())[-KEPT_CHARACTERS:]

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
        self.error_lines += chunk.count(b"\n")
        self._tail = (self._tail + chunk)[-4 * KEPT_CHARACTERS :]
        if not chunk:
            self._ended(self._err)

    def _ended(self, descriptor: int) -> int:
        self._open.remove(descriptor)
        self._poll.unregister(descriptor)
        return 0
