"""Versions of the steps whose results are kept; raise one when its step's output changes.

They are part of every fingerprint and of the `params` of every rule, so raising one reruns its
step and what follows, and nothing else. tests/test_common_versions.py fails when an output changes
while its version does not.
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
METRICS = 2
FIGURES = 4
PAGE = 2
DEMO = 1
