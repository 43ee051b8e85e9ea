"""Versions of the steps whose results are kept; raise one when its step's output changes.

They are part of every fingerprint and of the `params` of every rule, so raising one reruns its
step and the steps that depend on it, and nothing else. tests/test_common_versions.py fails when an
output changes while its version does not. Pages and figures need no number: their version is a
digest of their files (mafnet/report/output_digest.py).
"""

PROBE = 2
DECODE_VISUAL = 1
DECODE_AUDIO = 1
CALIBRATE = 1
MEDIA = 1
PREPARE = 1
PACK = 1
TRAIN = 2
EVALUATE = 3
METRICS = 3
DEMO = 1
