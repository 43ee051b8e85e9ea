"""The shape of DenseNet-201 and what it wants of its input; readable without torch."""

GROWTH = 32
BLOCKS = (6, 12, 48, 32)
FIRST_CHANNELS = 64
BOTTLENECK = 4 * GROWTH
BN_EPS = 1e-5

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
"""Of RGB values in [0, 1], over ImageNet's training pictures."""
