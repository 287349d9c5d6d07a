"""What the training scripts share: folders, checkpoints that survive a kill, a learning-rate schedule, an average of weights."""

import math
import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

STATE = Path(os.environ.get("STARTER_STATE", "/root/.cache/swift-omni/starter"))
PID_FILE = Path(os.environ.get("STARTER_PID", "/tmp/starter-train.pid"))


def setup(ranks=2):
    """Starts `ranks` processes of one thread each that share the gradients; returns this one's rank.

    On a machine where other programs come and go, two threads of one process wait for each other at every operation; two
    processes wait once a step. The pid file lists all of them, for SIGSTOP and SIGCONT. `nice` is the caller's part.
    """
    torch.set_num_threads(1)
    STATE.mkdir(parents=True, exist_ok=True)
    rank = int(os.environ.get("STARTER_RANK", "0"))
    if rank == 0:
        meeting = STATE / "meeting"
        meeting.unlink(missing_ok=True)
        pids = [os.getpid()]
        for r in range(1, ranks):
            child = subprocess.Popen([sys.executable, *sys.argv], env={**os.environ, "STARTER_RANK": str(r)})
            pids.append(child.pid)
        PID_FILE.write_text("".join(f"{p}\n" for p in pids))
    if ranks > 1:
        dist.init_process_group(
            "gloo", init_method=f"file://{STATE}/meeting", rank=rank, world_size=ranks, timeout=timedelta(days=2)
        )
    return rank


def meet():
    """Waits for all processes."""
    if dist.is_initialized():
        dist.barrier()


def alike(module):
    """All processes start from the weights of the first."""
    if dist.is_initialized():
        for p in module.state_dict().values():
            dist.broadcast(p, 0)


def share(parameters):
    """Replaces the gradients by their mean over all processes."""
    if not dist.is_initialized():
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.reshape(-1) for g in gradients])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    at = 0
    for g in gradients:
        g.copy_(flat[at : at + g.numel()].view_as(g))
        at += g.numel()


def save(path, state):
    """Writes a checkpoint whole or not at all."""
    partial = Path(str(path) + ".part")
    torch.save(state, partial)
    os.replace(partial, path)


def load(path):
    return torch.load(path, map_location="cpu", weights_only=True) if Path(path).exists() else None


def schedule(step, steps, warmup, floor=0.02):
    """A cosine that falls from 1 to `floor`, after a linear warm-up."""
    if step < warmup:
        return (step + 1) / warmup
    t = min(1.0, (step - warmup) / max(1, steps - warmup))
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * t))


class Average:
    """An exponential moving average of parameters, with a short memory at the start."""

    def __init__(self, parameters, decay):
        self.parameters = [p for p in parameters if p.requires_grad]
        self.decay, self.count = decay, 0
        self.values = [p.detach().clone() for p in self.parameters]

    @torch.no_grad()
    def update(self):
        self.count += 1
        d = min(self.decay, (1 + self.count) / (10 + self.count))
        torch._foreach_lerp_(self.values, [p.detach() for p in self.parameters], 1 - d)

    @torch.no_grad()
    def swap(self):
        """Exchanges the average and the live weights (call twice to come back)."""
        for p, v in zip(self.parameters, self.values):
            held = p.detach().clone()
            p.copy_(v)
            v.copy_(held)

    def state(self):
        return {"values": self.values, "count": self.count}

    def restore(self, state):
        self.count = state["count"]
        for v, s in zip(self.values, state["values"]):
            v.copy_(s)


class Clock:
    """Wall time and time spent running, for the log; `due` says when a period has passed."""

    def __init__(self, spent=0.0):
        self.start, self.spent = time.time(), spent
        self.marks = {}

    @property
    def seconds(self):
        return self.spent + time.time() - self.start

    def due(self, name, period):
        now = time.time()
        if now - self.marks.setdefault(name, now) >= period:
            self.marks[name] = now
            return True
        return False
