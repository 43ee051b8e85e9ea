"""The one kind of error that is the user's to mend."""


class MafnetError(Exception):
    """A mistake in the input; its text is one line: what, which file or row, and what to do.

    The command line prints it without a traceback and exits with status 1.
    """
