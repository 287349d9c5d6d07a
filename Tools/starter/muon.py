"""Muon (Jordan et al. 2024): momentum whose matrix is made orthogonal by a Newton-Schulz iteration, for hidden matrices.

Matrices of one shape are stacked and go through the iteration together, in bfloat16: on two cores that costs little.
Everything that is no hidden matrix (embeddings, norms, biases, first and last layers) belongs to AdamW.
"""

import torch


def orthogonal(g, steps=5):
    """About the nearest matrix with orthonormal rows or columns, for a stack [n, rows, columns]."""
    x = g.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    a, b, c = 3.4445, -4.7750, 2.0315  # the quintic of the paper
    for _ in range(steps):
        xx = x @ x.mT
        x = a * x + (b * xx + c * (xx @ xx)) @ x
    return (x.mT if tall else x).float()


class Muon(torch.optim.Optimizer):
    def __init__(self, parameters, lr=0.02, momentum=0.95, weight_decay=0.01):
        super().__init__(list(parameters), dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            shapes = {}
            for p in group["params"]:
                if p.grad is not None:
                    shapes.setdefault(p.shape, []).append(p)
            for shape, parameters in shapes.items():
                updates = []
                for p in parameters:
                    held = self.state[p]
                    if not held:
                        held["momentum"] = torch.zeros_like(p)
                    m = held["momentum"]
                    m.lerp_(p.grad, 1 - group["momentum"])
                    updates.append(p.grad.lerp(m, group["momentum"]))
                stack = torch.stack(updates).flatten(2)  # a convolution is a matrix: outputs by inputs and taps
                scale = max(1.0, stack.shape[1] / stack.shape[2]) ** 0.5
                for p, u in zip(parameters, orthogonal(stack)):
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.add_(u.view_as(p), alpha=-group["lr"] * scale)
