"""Selection of validation samples from training lists."""

import hashlib
from collections.abc import Sequence

from pydantic import Field

from mafnet.common.config import Number, Settings

SHARE = Field(
    0.1,
    gt=0,
    lt=1,
    description="Share of the training lists that is held out for validation, class by class. "
    "ucf51: share of the groups. kinetics_sounds: share of the clips. "
    "ave has its own validation list.",
    json_schema_extra={"unit": "share, 0 to 1"},
)
SEED = Field(0, ge=0, description="Seed of the selection of the held-out part.")


class Holdout(Settings):
    """Selection of validation samples.

    share: held-out share of the training samples (or groups of samples) of each class.
    seed: the selection in a class depends only on its own samples and the seed.
    """

    share: Number = SHARE
    seed: int = SEED

    def choose(self, names: Sequence[str], salt: str) -> set[str]:
        """The held-out names: the share, rounded, and at least one of two or more names.

        A hash of each name decides. So one more name rarely changes the selection of the others.
        """
        known = sorted(set(names), key=lambda name: self._rank(name, salt))
        count = round(self.share * len(known))
        return set(known[: max(count, 1) if len(known) > 1 else 0])

    def _rank(self, name: str, salt: str) -> bytes:
        return hashlib.sha256(f"{self.seed}/{salt}/{name}".encode()).digest()
