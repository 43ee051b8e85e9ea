"""A training step of each variant at float32 and at `auto`: time, and what it does to the losses.

    .venv/bin/python benchmarks/training.py --variant mafnet --steps 20 --profile

Both precisions start from the same weights and take turns, step by step, on the same four batches
of made-up features. CPU seconds of this process are given, which depend less on what else the
machine does. bench.py measures MAFnet's step against the plain way.
"""

import statistics
import time
from dataclasses import dataclass, field

import click
import torch
from marked import markdown
from torch.profiler import ProfilerActivity, profile

from mafnet.model.commands import computing_device
from mafnet.model.networks import build_network, network_spec
from mafnet.model.networks.blocks import Features
from mafnet.model.precision import resolve
from mafnet.model.train import new_optimiser, step
from mafnet.plan.config import read_config

SHAPES = {"visual": (1920,), "visual_maps": (7, 7, 1920), "audio": (12, 8, 512)}
CLASSES, BATCHES = 28, 4
VARIANTS = read_config([])["model"]["variants"]
DIFFERENT = [name for name in VARIANTS if not name.startswith("drop_")]
"""The variants whose steps differ; those of the drop rates are MAFnet's."""

Batch = tuple[Features, torch.Tensor]


@dataclass
class Run:
    """One network at one precision: the seconds of its steps, and the losses before them."""

    precision: str
    network: torch.nn.Module
    optimiser: torch.optim.Adam
    cpu_s: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def step(self, batch: Batch) -> None:
        """One update."""
        features, labels = batch
        if self.precision == "float32":
            features = Features(*(None if each is None else each.float() for each in features))
        start = time.process_time()
        loss = step(self.network, self.optimiser, features, labels, False, self.precision)
        self.losses.append(loss.item())
        self.cpu_s.append(time.process_time() - start)


def made_batch(inputs: tuple[str, ...], videos: int, clips: int) -> Batch:
    """Features (videos, clips, ...) float16, two thirds zeros; classes differ in their channels."""
    labels = torch.randint(CLASSES, (videos,))
    made = {}
    for name in inputs:
        profiles = torch.randn(
            CLASSES, SHAPES[name][-1], generator=torch.Generator().manual_seed(0)
        )
        channels = 0.5 * profiles[labels] - 0.4
        channels = channels.view(videos, *[1] * len(SHAPES[name]), -1)
        noise = torch.randn(videos, clips, *SHAPES[name])
        made[name] = (noise + channels).relu().half()
    return Features(**made), labels


def started(name: str, precision: str, hidden: int) -> Run:
    """A variant's network with fresh weights, the same for each precision."""
    torch.manual_seed(0)
    chosen = VARIANTS[name]
    options = network_spec(chosen["network"]).resolved(
        {"hidden": hidden}, chosen.get("options", {})
    )
    network = build_network(
        chosen["network"],
        classes=CLASSES,
        visual_features=1920,
        audio_features=512,
        options=options,
    )
    return Run(precision, network.train(), new_optimiser(network, 1e-4))


def compare(name: str, steps: int, videos: int, clips: int, hidden: int) -> dict:
    """Medians, ratio and the largest difference of a loss: values of the table's row."""
    torch.manual_seed(1)
    inputs = network_spec(VARIANTS[name]["network"]).inputs(VARIANTS[name].get("options", {}))
    batches = [made_batch(inputs, videos, clips) for _ in range(min(BATCHES, steps))]
    precisions = ("float32", resolve("auto", torch.device("cpu")))
    runs = [started(name, precision, hidden) for precision in precisions]
    for index in range(steps):
        for run in runs:
            torch.manual_seed(index)  # the same dropout
            run.step(batches[index % len(batches)])
    exact, auto = (statistics.median(run.cpu_s[1:] or run.cpu_s) for run in runs)
    pairs = zip(*(run.losses for run in runs), strict=True)
    return {
        "variant": name,
        "float32 [CPU s]": f"{exact:.3f}",
        f"auto: {precisions[1]} [CPU s]": f"{auto:.3f}",
        "ratio": f"{exact / auto:.2f}",
        f"largest difference of {steps} losses": f"{max(abs(a - b) for a, b in pairs):.1e}",
    }


def profiled(videos: int, clips: int, hidden: int) -> str:
    """Where the time of MAFnet's step goes, by torch's operators."""
    run = started("mafnet", resolve("auto", torch.device("cpu")), hidden)
    batch = made_batch(("visual", "audio"), videos, clips)
    run.step(batch)
    with profile(activities=[ProfilerActivity.CPU]) as found:
        run.step(batch)
    return found.key_averages().table(sort_by="self_cpu_time_total", row_limit=16)


@click.command()
@click.option("--variant", "variants", type=click.Choice(list(VARIANTS)), multiple=True)
@click.option("--steps", type=click.IntRange(1), default=20, show_default=True)
@click.option("--videos", type=click.IntRange(2), default=32, show_default=True, help="A batch.")
@click.option("--clips", type=click.IntRange(1), default=10, show_default=True)
@click.option("--hidden", type=click.IntRange(1), default=512, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@click.option("--profile", "wanted", is_flag=True, help="Show where MAFnet's step spends its time.")
def main(
    variants: tuple[str, ...],
    steps: int,
    videos: int,
    clips: int,
    hidden: int,
    threads: int,
    wanted: bool,
) -> None:
    """Print a table of variants: the named ones, or all but the drop rates."""
    computing_device("cpu", threads)
    rows = [compare(name, steps, videos, clips, hidden) for name in variants or DIFFERENT]
    click.echo(markdown(list(rows[0]), [list(row.values()) for row in rows]))
    if wanted:
        click.echo(profiled(videos, clips, hidden))


if __name__ == "__main__":
    main()
