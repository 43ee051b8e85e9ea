"""File names and decoder messages as text without control over a terminal or a log."""

import logging


def printable(text: str) -> str:
    r"""The text with all control characters except line feeds escaped, e.g. as \x1b.

    File names and labels come from other people. Unescaped, they could move the cursor, change
    colours or the title of the window, or reverse the direction of the text.
    """
    return "".join(
        character if character.isprintable() or character == "\n" else _escaped(character)
        for character in text
    )


class PrintableFormatter(logging.Formatter):
    """Formats log records as printable text."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as printable text."""
        return printable(super().format(record))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
