"""The convolutions of VGGish up to conv4_2; readable without torch or TensorFlow."""

CHANNELS = {
    "conv1": (1, 64),
    "conv2": (64, 128),
    "conv3_1": (128, 256),
    "conv3_2": (256, 256),
    "conv4_1": (256, 512),
    "conv4_2": (512, 512),
}
"""Convolutions in order: channels in and out; every kernel is 3x3."""

POOLED = ("conv1", "conv2", "conv3_2")
"""Convolutions that a 2x2 maximum pooling follows."""
