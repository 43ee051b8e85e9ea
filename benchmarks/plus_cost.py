"""What a step of `mafnet_plus` costs beside one of `mafnet`, in turns, at the paper's size.

    python benchmarks/plus_cost.py

CPU seconds of one thread, float32, 8 videos of 10 clips a batch, without padding and with a third
of the clips padded; medians over the rounds and the ratio of each round's two steps.
"""

import statistics
import time

import torch

from mafnet.model.networks import build_network
from mafnet.model.networks.blocks import Features, Network
from mafnet.model.train import new_optimiser, step

VIDEOS, CLIPS, CLASSES, ROUNDS = 8, 10, 28, 5
OPTIONS = {"mafnet": {}, "mafnet_plus": {"logits_bn": False}}


def batch(padded: int) -> Features:
    """Random features of the backbones' shapes; the last clips of every video are padding."""
    valid = torch.ones(VIDEOS, CLIPS, 2, dtype=torch.bool)
    valid[:, CLIPS - padded :] = False
    visual, audio = torch.rand(VIDEOS, CLIPS, 1920), torch.rand(VIDEOS, CLIPS, 12, 8, 512)
    present = valid[..., 0]
    return Features(visual * present[..., None], audio * present[..., None, None, None], valid)


def built(name: str) -> Network:
    """A fresh network of the paper's size."""
    return build_network(
        name, classes=CLASSES, visual_features=1920, audio_features=512, options=OPTIONS[name]
    )


def seconds(network: Network, optimiser: torch.optim.Optimizer, features: Features) -> float:
    """CPU seconds of one step."""
    labels = torch.arange(VIDEOS) % CLASSES
    start = time.process_time()
    step(network, optimiser, features, labels, drop=False, precision="float32")
    return time.process_time() - start


def main() -> None:
    """Print parameters and seconds."""
    torch.set_num_threads(1)
    networks = {name: built(name) for name in OPTIONS}
    optimisers = {name: new_optimiser(network, 1e-4) for name, network in networks.items()}
    for name, network in networks.items():
        print(f"{name}: {sum(p.numel() for p in network.parameters()):,} parameters")
    for padded in (0, CLIPS // 3):
        features, taken = batch(padded), {name: [] for name in OPTIONS}
        for _ in range(ROUNDS + 1):
            for name in OPTIONS:
                taken[name].append(seconds(networks[name], optimisers[name], features))
        plain, plus = (values[1:] for values in taken.values())  # the first warms up
        print(f"{padded} of {CLIPS} clips padded: {compared(plain, plus)}")


def compared(plain: list[float], plus: list[float]) -> str:
    """Medians, and the ratio of the steps that lie beside each other with its range."""
    ratios = sorted(b / a for a, b in zip(plain, plus, strict=True))
    medians = [statistics.median(values) for values in (plain, plus, ratios)]
    line = "mafnet {:.2f} s, mafnet_plus {:.2f} s, ratio {:.2f} ({:.2f} to {:.2f})"
    return line.format(*medians, ratios[0], ratios[-1])


if __name__ == "__main__":
    main()
