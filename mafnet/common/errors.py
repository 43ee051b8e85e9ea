"""The one kind of error that the user can fix."""

import difflib
from collections.abc import Iterable


class MafnetError(Exception):
    """A mistake in the input; its text is one line: what, which file or row, and what to do.

    The command line prints it without a traceback and exits with status 1.
    """


def hint(name: str, known: Iterable[str]) -> str:
    """What an unknown name may mean: the known name that is most like it, else all known names."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(names) or 'none'}"
