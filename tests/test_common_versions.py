"""The output of a step changes only with its version; otherwise kept results would be stale.

The stored values are made by tests/data/make_versions.py.
"""

import importlib.util
import json
import math
from pathlib import Path

import pytest
import torch

from mafnet.features.backbones import BACKBONES
from mafnet.model.metrics import METRICS

DATA = Path(__file__).parent / "data"


def generator():
    spec = importlib.util.spec_from_file_location("make_versions", DATA / "make_versions.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make_versions = generator()
STORED = json.loads((DATA / "versions.json").read_text())

# Numbers agree if they differ by at most `absolute` or by `relative` of the stored one.
EXACT = {"relative": 1e-5, "absolute": 1e-9}  # six digits are stored
# Another processor may sum many products in another order: 1e-6 in each layer, amplified by depth.
# Rounding to float16 is 5e-4. A changed formula changes some of the values by percents.
ROUND_OFF = {"relative": 3e-3, "absolute": 1e-3}
TOLERANCE = {
    # The scaler of another ffmpeg may round each value by one level of 255.
    "DECODE_VISUAL": {"relative": 0, "absolute": 1.0},
    # Another ffmpeg resamples with another filter: 1 %, and a few units at the edge of silence.
    "DECODE_AUDIO": {"relative": 0.01, "absolute": 20},
    "CALIBRATE": ROUND_OFF,
    "TRAIN": ROUND_OFF,
    "EVALUATE": ROUND_OFF,
    **dict.fromkeys(BACKBONES, ROUND_OFF),
    # Sums of float32 maps by numpy, rounded to float16.
    "PACK": {"relative": 2**-10, "absolute": 0},
}


@pytest.fixture(scope="module", autouse=True)
def threads_as_before():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def differences(found, stored, tolerance, place=""):
    """The differences between two nested structures of lists, mappings and values, as texts."""
    if isinstance(stored, dict) and isinstance(found, dict) and found.keys() == stored.keys():
        pairs = [(f"{place}.{key}", found[key], stored[key]) for key in stored]
    elif isinstance(stored, list) and isinstance(found, list) and len(found) == len(stored):
        pairs = [(f"{place}[{n}]", *both) for n, both in enumerate(zip(found, stored, strict=True))]
    else:
        return [] if agree(found, stored, tolerance) else [f"{place}: {found!r}, not {stored!r}"]
    return [text for name, *both in pairs for text in differences(*both, tolerance, name)]


def agree(found, stored, tolerance):
    if isinstance(stored, float) and isinstance(found, float):
        relative, absolute = tolerance["relative"], tolerance["absolute"]
        return math.isclose(found, stored, rel_tol=relative, abs_tol=absolute)
    return found == stored


def without(keys, node):
    """A nested structure without some keys of its mappings."""
    if isinstance(node, dict):
        return {key: without(keys, value) for key, value in node.items() if key not in keys}
    return [without(keys, value) for value in node] if isinstance(node, list) else node


@pytest.mark.parametrize("step", make_versions.STEPS)
def test_output_changes_only_with_the_version(step):
    version = make_versions.current_versions()[step]
    assert STORED[step]["version"] == version, (
        f"the version of {step} is {version}, but values of {STORED[step]['version']} are stored; "
        "run: python tests/data/make_versions.py"
    )
    measured, stored = make_versions.measure(step), STORED[step]["values"]
    if step == "METRICS":  # a new metric changes the version of rule evaluate by itself
        measured = without(set(METRICS) - set(stored), measured)
    found = differences(measured, stored, TOLERANCE.get(step, EXACT))
    assert not found, (
        f"the output of {step} has changed at {len(found)} places ({'; '.join(found[:3])}): raise "
        "its version (mafnet/common/versions.py, or its entry in "
        "mafnet/features/backbones/__init__.py), "
        "then run: python tests/data/make_versions.py"
    )


def test_every_version_has_stored_values():
    assert set(make_versions.STEPS) == set(make_versions.current_versions()) == set(STORED), (
        "add a function of the same name to tests/data/make_versions.py and run it"
    )


@pytest.mark.parametrize(
    ("found", "count"),
    [
        ({"a": [1.0, 2.0], "b": "x"}, 0),
        ({"a": [1.0005, 2.0], "b": "x"}, 0),
        ({"a": [1.01, 2.0], "b": "x"}, 1),
        ({"a": [1.01, 2.1], "b": "y"}, 3),
        ({"a": [1.0], "b": "x"}, 1),
        ({"a": [1.0, 2.0]}, 1),
        ({"a": [1.0, None], "b": "x"}, 1),
        ({"a": [1.0, math.nan], "b": "x"}, 1),
    ],
)
def test_differences_are_found(found, count):
    assert len(differences(found, {"a": [1.0, 2.0], "b": "x"}, ROUND_OFF)) == count
