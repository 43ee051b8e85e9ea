"""Validation samples taken from training lists that come without any."""

import hashlib
from collections.abc import Sequence

from pydantic import Field

from mafnet.common.config import Number, Settings

SHARE = Field(
    0.1,
    gt=0,
    lt=1,
    description="Share of the training lists that is held out for validation, class by class. "
    "ucf51: of the groups. kinetics_sounds: of the clips. ave has its own validation list.",
    json_schema_extra={"unit": "share, 0 to 1"},
)
SEED = Field(0, ge=0, description="Seed that decides which part of the training lists is held out.")


class Holdout(Settings):
    """How validation samples are chosen.

    share: of each class's training samples (or groups of samples).
    seed: the choice for one class depends only on its own samples and the seed.
    """

    share: Number = SHARE
    seed: int = SEED

    def choose(self, names: Sequence[str], salt: str) -> set[str]:
        """The names that are held out: the share, rounded, at least one of two or more.

        They are chosen by a hash of each name, so that one more name seldom changes the others.
        """
        known = sorted(set(names), key=lambda name: self._rank(name, salt))
        count = round(self.share * len(known))
        return set(known[: max(count, 1) if len(known) > 1 else 0])

    def _rank(self, name: str, salt: str) -> bytes:
        return hashlib.sha256(f"{self.seed}/{salt}/{name}".encode()).digest()
