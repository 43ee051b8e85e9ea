"""Makes mafnet_model.npz and mafnet_train.npz: the part of the reference that the tests read.

    python tests/data/parity/extract.py DIRECTORY

DIRECTORY holds model_parity.npz and train_parity.npz of the original implementation. Only the
float64 numbers are kept, and every eighth channel of the larger activations.
"""

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
CHANNEL_STEP = 8
WIDE = ("film_gamma", "film_pooled", "image_feat", "sound_feat")


def model_arrays(reference) -> dict:
    arrays = {"zero_gradient": reference["zero_gradient"], "trainable": reference["trainable"]}
    for key in reference.files:
        what = key.rpartition("/f64")[0]
        if what.startswith(("eval/", "train/", "grad/", "grad_norm/", "pop_after1/")):
            wide = what.split("/")[1] in WIDE
            arrays[what] = reference[key][..., ::CHANNEL_STEP] if wide else reference[key]
    return arrays


def train_arrays(reference) -> dict:
    arrays = {}
    for run in ("all_lr1e-4", "intent_lr1e-4"):
        for what in ("loss", "seq", "eval_logits"):
            arrays[f"{run}/{what}"] = reference[f"{run}/f64/{what}"]
    prefix = "all_lr1e-4/f64/final/"
    for key in reference.files:
        if key.startswith(prefix):
            arrays[f"all_lr1e-4/final/{key.removeprefix(prefix)}"] = reference[key]
    return arrays


def main() -> None:
    source = Path(sys.argv[1])
    for name, select in (("model", model_arrays), ("train", train_arrays)):
        with np.load(source / f"{name}_parity.npz") as reference:
            np.savez_compressed(HERE / f"mafnet_{name}.npz", **select(reference))


if __name__ == "__main__":
    main()
