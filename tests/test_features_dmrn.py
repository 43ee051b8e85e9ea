"""DMRN's second row of the paper's table 1: the features of its authors, to the metrics."""

import json
import shutil

import h5py
import numpy as np
import pytest
from support.tiny_run import METRICS, REPOSITORY, Workflow, make_data

RANDOM = {"weights": "random"}


@pytest.mark.workflow
@pytest.mark.slow
def test_dmrn_on_vgg19_and_vggish_pca(checkout, tmp_path):
    """Random weights and one frame a second, so that it takes seconds."""
    tiny = Workflow(checkout, tmp_path)
    shutil.copy(REPOSITORY / "tests/tiny.yaml", tmp_path)
    make_data(tmp_path)
    training = {"learning_rate": 1.0e-3, "batch_size": 4, "max_epochs": 3}
    row = {"network": "dmrn", "options": {"logits_bn": False}, "training": training}
    change = {
        "video": {"clips": 1, "frames_per_clip": 1},
        "features": {
            "visual": RANDOM | {"backbone": "vgg19"}, "audio": RANDOM | {"backbone": "vggish_pca"},
        },
        "model": {"main": "dmrn_vgg19", "seeds": [0], "variants": {"dmrn_vgg19": row}},
    }  # fmt: skip
    tiny.run(METRICS, change=change)
    found = json.loads((tiny.folder / METRICS).read_text())
    assert found["variant"] == "dmrn_vgg19"
    weights = found["provenance"]["weights"]
    assert [weights[name]["backbone"] for name in ("visual", "audio")] == ["vgg19", "vggish_pca"]
    with h5py.File(tiny.folder / "results/tiny/features/audio.h5") as file:
        values = file["maps"][()]
    assert values.shape == (8, 1, 1, 1, 128)
    # Bytes, as AudioSet's features are; random weights reach both ends.
    assert np.array_equal(values, np.floor(values))
    assert values.min() >= 0
    assert values.max() <= 255
    assert len(np.unique(values)) > 2
