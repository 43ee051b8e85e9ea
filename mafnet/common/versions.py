"""Versions of the steps whose results are kept. Raise a version when the step's output changes.

The versions are part of every fingerprint and of the `params` of every rule. So raising one reruns
its step and the steps that depend on it, and nothing else. tests/test_common_versions.py fails if
an output changes without its version. Pages and figures need no version number: their version is a
digest of their source files (mafnet/report/output_digest.py).
"""

PROBE = 5
SCREEN = 1
DECODE_VISUAL = 1
DECODE_AUDIO = 3
CALIBRATE = 1
MEDIA = 2
PREPARE = 2
PACK = 1
TRAIN = 3
EVALUATE = 4
EVALUATED = frozenset((
    "split", "variant", "seed", "random_weights", "settings", "precision", "trained_on",
    "evaluated_on", "val_accuracy", "val_samples", "top_k", "samples", "in_train", "per_class",
    "accuracy", "balanced_accuracy", "top5", "macro_f1", "mean_average_precision",
    "expected_calibration_error", "negative_log_likelihood",
))  # fmt: skip
"""The keys of a run's metrics.json in version 4. Other keys change the version of rule evaluate."""
METRICS = 7
DEMO = 1
