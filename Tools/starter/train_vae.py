"""Trains the AutoencoderKL of omni-emoji.

Stage `base`: 8 times smaller latents of 128-pixel pictures, (32, 32, 64, 96) channels, 16 latent channels, on full
pictures (group norms see the flat backgrounds, so they keep their tint).
Stage `grow`: the same latents, one more block at the outer end: 256-pixel pictures, 16 times smaller latents. The latent
space stays as it was, so the transformer can be trained before, while or after this runs.

    python train_vae.py base --steps 5500
    python train_vae.py grow --steps 2500
Resumes from STATE/vae-<stage>.pt by itself.
"""

import argparse
import random

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from PIL import Image

import common
import data
from muon import Muon

# Four groups a norm: with one or two channels in a group, as 16 groups would have, the norm takes away the mean colour of a
# flat background, and pictures come back tinted.
BASE = (32, 32, 64, 96)
GROWN = (16, 32, 32, 64, 96)


def make(channels):
    n = len(channels)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * n, up_block_types=("UpDecoderBlock2D",) * n, block_out_channels=channels,
        layers_per_block=1, latent_channels=16, norm_num_groups=4, sample_size=16 * 2 ** (n - 1),
        use_quant_conv=False, use_post_quant_conv=False, force_upcast=False,
    )


def every_emoji():
    """All emoji that have a bitmap of their own: the autoencoder sees more than the subjects, so that more can be added."""
    names, _ = data.cldr()
    return [e for e in names if len(e) <= 2 and _has_bitmap(e)]


def _has_bitmap(e):
    try:
        a = data.bitmap(e)
    except ValueError:
        return False
    return a[..., 3].mean() > 0.08


def samples(rng, size, others):
    """Samples as the transformer sees them, some with another emoji or off the usual places."""
    out = []
    for _ in range(size):
        s = data.sample(rng)
        if rng.random() < 0.4:
            s.marks = [(rng.choice(others), x, y, z) for _, x, y, z in s.marks]
        if rng.random() < 0.15:
            s.marks = [(e, x + rng.randint(-24, 24), y + rng.randint(-24, 24), z) for e, x, y, z in s.marks]
        out.append(s)
    return out


def stack(drawn, px):
    return torch.from_numpy(np.stack([data.draw(s, px) for s in drawn])).permute(0, 3, 1, 2).contiguous() * 2 - 1


def picture_loss(y, x):
    """L1, edges (so that shapes stay sharp) and coarse averages (so that flat grounds keep their colour)."""
    e = y - x
    edges = (e[..., 1:] - e[..., :-1]).abs().mean() + (e[..., 1:, :] - e[..., :-1, :]).abs().mean()
    coarse = F.avg_pool2d(e, 8).abs().mean()
    return e.abs().mean() + edges + 0.5 * coarse


def encoded(model, x):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mean, logvar = model.encoder(x).float().chunk(2, dim=1)
    return mean, logvar.clamp(-10, 4)


def decoded(model, z):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return model.decoder(z).float()


def base_loss(model, x):
    mean, logvar = encoded(model, x)
    kl = 0.5 * (mean**2 + logvar.exp() - 1 - logvar).mean()
    z = mean + torch.randn_like(mean) * (0.5 * logvar).exp()
    return picture_loss(decoded(model, z), x), 5e-4 * kl, logvar, mean


def grow_loss(model, base, x, half, encoder):
    """The decoder learns to draw `x` from the base model's latents of the same picture at half the size, with some noise
    (so that it forgives the transformer its errors); in other steps the encoder learns to find the same latents."""
    with torch.no_grad():
        mean, logvar = encoded(base, half)
    if encoder:
        own, own_logvar = encoded(model, x)
        far = ((own - mean) ** 2).mean() / mean.var() + 0.02 * ((own_logvar - logvar) ** 2).mean()
        return torch.zeros(()), far, logvar, mean
    noise = (logvar.exp() + (0.06 * torch.rand(len(x), 1, 1, 1)) ** 2 * mean.var()).sqrt()
    return picture_loss(decoded(model, mean + torch.randn_like(mean) * noise), x), torch.zeros(()), logvar, mean


def sheet(model, px, path, others, base=None):
    drawn = samples(random.Random(7), 16, others)
    x = stack(drawn, px)
    with torch.no_grad():
        z = model.encoder(x)[:, :16] if base is None else base.encoder(stack(drawn, 128))[:, :16]
        y = model.decoder(z).clamp(-1, 1)
    rows = torch.cat([x[:8], y[:8], x[8:], y[8:]])
    rows = ((rows + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    out = Image.new("RGB", (8 * px, 4 * px))
    for i, r in enumerate(rows):
        out.paste(Image.fromarray(r), (i % 8 * px, i // 8 * px))
    out.save(path)
    mse = ((x - y) ** 2).mean(dim=(1, 2, 3)) / 4
    return float((x - y).abs().mean()), float((-10 * torch.log10(mse)).mean()), float(z.std()), float(z.mean())


def grown_from(base):
    """The grown model with the weights of `base` where the shapes are the same block."""
    model = make(GROWN)
    own, old = model.state_dict(), base.state_dict()
    for name in own:
        source = name
        if name.startswith("encoder.down_blocks."):
            _, _, i, rest = name.split(".", 3)
            source = f"encoder.down_blocks.{int(i) - 1}.{rest}"  # the new block is the first one
        if source in old and old[source].shape == own[name].shape and not name.startswith(("encoder.conv_in", "decoder.conv_out", "decoder.conv_norm_out")):
            own[name] = old[source]
    model.load_state_dict(own)
    return model


def main():
    a = argparse.ArgumentParser()
    a.add_argument("stage", choices=["base", "grow"])
    a.add_argument("--steps", type=int, default=5500)
    a.add_argument("--batch", type=int, default=4, help="of each process")
    a.add_argument("--lr", type=float, default=2e-3)
    a.add_argument("--muon-lr", type=float, default=0.02)
    a.add_argument("--ranks", type=int, default=2, help="processes of one thread each")
    a.add_argument("--seed", type=int, default=11)
    args = a.parse_args()
    rank = common.setup(args.ranks)
    torch.manual_seed(args.seed + rank)
    others = every_emoji()
    px = 128 if args.stage == "base" else 256
    path = common.STATE / f"vae-{args.stage}.pt"
    base = None
    if args.stage == "grow":
        base = make(BASE)
        base.load_state_dict(common.load(common.STATE / "vae-base.pt")["average"])
        base.requires_grad_(False).eval()
        model = grown_from(base)
    else:
        model = make(BASE)
    common.alike(model)
    hidden = [p for n, p in model.named_parameters() if p.ndim > 1 and "conv_in" not in n and n != "decoder.conv_out.weight"]
    chosen = {id(p) for p in hidden}
    muon = Muon(hidden, lr=args.muon_lr)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if id(p) not in chosen], lr=args.lr, betas=(0.9, 0.98), weight_decay=0)
    average = common.Average(model.parameters(), 0.998)
    names = [n for n, _ in model.named_parameters()]
    step, state = 0, common.load(path)
    clock = common.Clock(state["seconds"] if state else 0.0)
    if state:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        muon.load_state_dict(state["muon"])
        average.restore(state["ema"])
        step = state["step"]

    def checkpoint():
        weights = dict(model.state_dict())
        weights.update(zip(names, average.values))
        common.save(path, {
            "model": model.state_dict(), "optimizer": optimizer.state_dict(), "muon": muon.state_dict(), "ema": average.state(), "average": weights,
            "step": step, "seconds": clock.seconds, "channels": list(BASE if base is None else GROWN),
        })
        average.swap()
        result = sheet(model, px, common.STATE / f"vae-{args.stage}.png", others, base)
        average.swap()
        print(f"[check] step {step}: L1 {result[0]:.4f} psnr {result[1]:.2f} latent std {result[2]:.3f} mean {result[3]:.3f}", flush=True)

    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters, {len(others)} emoji, from step {step}", flush=True)
    running = None
    while step < args.steps:
        rng = random.Random(args.seed * 1_000_003 + step * args.ranks + rank)
        drawn = samples(rng, args.batch, others)
        x = stack(drawn, px)
        rate = common.schedule(step, args.steps, 100)
        muon.param_groups[0]["lr"], optimizer.param_groups[0]["lr"] = args.muon_lr * rate, args.lr * rate
        if base is None:
            loss, extra, logvar, mean = base_loss(model, x)
        else:
            loss, extra, logvar, mean = grow_loss(model, base, x, stack(drawn, 128), encoder=step % 3 == 2)
        optimizer.zero_grad(set_to_none=True)
        muon.zero_grad(set_to_none=True)
        (loss + extra).backward()
        common.share(model.parameters())
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        muon.step()
        if rank == 0:
            average.update()
        step += 1
        value = (*(float(q.detach()) for q in (loss, extra, logvar.mean(), mean.std())),)
        running = value if running is None else tuple(0.98 * r + 0.02 * v for r, v in zip(running, value))
        if step % 50 == 0 and rank == 0:
            print(f"step {step} loss {running[0]:.4f} latents {running[1]:.4f} logvar {running[2]:.2f} std {running[3]:.2f} {clock.seconds:.0f} s", flush=True)
        if rank == 0 and clock.due("save", 300):
            checkpoint()
    if rank == 0:
        checkpoint()
        print("done", flush=True)


if __name__ == "__main__":
    main()
