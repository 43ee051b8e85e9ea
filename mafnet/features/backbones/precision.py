"""Arithmetics a backbone may compute in; readable without torch."""

from mafnet.common.errors import MafnetError

PRECISIONS = ("float32", "bfloat16", "float16")


def check_precision(precision: str, gpu: bool) -> None:
    """Raise MafnetError where `precision` is unknown, or the device has none of it."""
    if precision not in PRECISIONS:
        raise MafnetError(
            f"precision {precision!r} is unknown; choose one of {', '.join(PRECISIONS)}"
        )
    if precision == "float16" and not gpu:
        raise MafnetError("precision float16 needs a GPU; choose bfloat16 or float32")
