"""Names of files and decoders' messages as text that cannot control a terminal or a log."""

import logging


def printable(text: str) -> str:
    r"""Text whose control characters, other than a line feed, are written out, as \x1b is.

    Names of files and labels come from others; left as they are, they could move the cursor,
    recolour or rename the window, or turn the direction of writing.
    """
    return "".join(
        character if character.isprintable() or character == "\n" else _written_out(character)
        for character in text
    )


class PrintableFormatter(logging.Formatter):
    """Formats log records for people, whatever names they hold."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as printable text."""
        return printable(super().format(record))


def _written_out(character: str) -> str:
    return character.encode("unicode_escape").decode()
