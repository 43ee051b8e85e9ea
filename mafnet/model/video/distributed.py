"""Several processes that train one network: one for each GPU, started by torchrun."""

import os
import sys
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn


@dataclass(frozen=True)
class World:
    """This process among all: its number, from 0, and how many there are."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """True for the process that writes files and the log."""
        return self.rank == 0

    def total(self, values: list[float], device: torch.device) -> list[float]:
        """The sums of some numbers over all processes."""
        if self.size == 1:
            return values
        sums = torch.tensor(values, dtype=torch.float64, device=device)
        distributed.all_reduce(sums)
        return sums.tolist()

    def share_statistics(self, network: nn.Module) -> None:
        """Give all processes the running statistics of the first."""
        buffers: list[Tensor] = list(network.buffers()) if self.size > 1 else []
        for buffer in buffers:
            distributed.broadcast(buffer, 0)


def launch(processes: int) -> None:
    """Run this command again in several processes under torchrun; returns when they end."""
    from torch.distributed.run import main

    main(["--standalone", "--nproc-per-node", str(processes), "-m", "mafnet", *sys.argv[1:]])


def is_launched() -> bool:
    """True in a process that torchrun started."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def join(device: torch.device) -> World:
    """Connect to the other processes of torchrun, if it started this one."""
    if not is_launched():
        return World()
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return World(distributed.get_rank(), distributed.get_world_size())


def leave(world: World) -> None:
    """Disconnect."""
    if world.size > 1:
        distributed.destroy_process_group()
