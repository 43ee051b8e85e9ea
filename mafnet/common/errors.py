"""The error type for mistakes that the user can fix."""

import difflib
from collections.abc import Iterable


class MafnetError(Exception):
    """A mistake in the input. Its text is one line: what, which file or row, and the fix.

    The command line prints it without a traceback and exits with status 1.
    """


class MachineError(MafnetError):
    """A fault of the machine, such as a full disk: later the same command may succeed."""


def hint(name: str, known: Iterable[str]) -> str:
    """A hint for an unknown name: the most similar known name, or all known names."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(names) or 'none'}"
