"""Trains omni-emoji-motion: the AutoencoderKLWan, then the UMT5 encoder and the Wan transformer on its latents.

    python train_motion.py frames --steps 2200   the autoencoder, on single frames
    python train_motion.py video --steps 6000     text encoder and transformer on the latents of clips, by flow matching
Each resumes from STATE/motion-<stage>.pt by itself; `video` starts from `frames`.
"""

import argparse
import random

import numpy as np
import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.autoencoder_kl_wan import WanCausalConv3d
from PIL import Image

import common
import data
import motion_data
import motion_model
import train_vae
from muon import Muon
from train_image import noise_words, sigmas

PX = 128
_full = WanCausalConv3d.forward


def _one_frame(self, x, cache_x=None):
    """The first frame of a clip sees zeros in the past: only the last tap of a convolution counts. A third of the work."""
    if cache_x is None and x.shape[2] == 1 and self.kernel_size[0] == 3 and self.stride[0] == 1:
        p = self._padding
        return F.conv2d(F.pad(x[:, :, 0], p[:4]), self.weight[:, :, -1], self.bias)[:, :, None]
    return _full(self, x, cache_x)


WanCausalConv3d.forward = _one_frame


def forget_the_past(vae):
    """Taps that look back are nothing: every frame stands for itself, in a clip as alone."""
    with torch.no_grad():
        for m in vae.modules():
            if isinstance(m, WanCausalConv3d) and m.kernel_size[0] == 3:
                m.weight[:, :, :-1] = 0


def encoded(vae, x):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mean, logvar = vae._encode(x).float().chunk(2, 1)
    return mean, logvar.clamp(-10, 4)


def decoded(vae, z):
    """Single frames [n, 16, 1, h, w] by the VAE's own decoder, without its clamp: a clamp has no gradient where it is needed most."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return vae.decoder(vae.post_quant_conv(z), feat_cache=[None] * 64, feat_idx=[0], first_chunk=True).float()


def singles(x):
    """Clips [n, c, frames, h, w] as single frames [n · frames, c, 1, h, w]."""
    return x.transpose(1, 2).flatten(0, 1)[:, :, None]


def clips(x, count):
    """Single frames as `count` clips."""
    return x[:, :, 0].unflatten(0, (count, -1)).transpose(1, 2)


def frames_batch(rng, count, others):
    """Mostly frames of clips, the rest pictures as omni-emoji's autoencoder sees them."""
    clip = [motion_data.sample(rng, random.Random(0)) for _ in range(count - count // 4)]
    parts = [motion_data.draw(c, PX, only=rng.randrange(motion_data.FRAMES)) for c in clip]
    drawn = torch.from_numpy(np.concatenate(parts)).permute(0, 3, 1, 2) * 2 - 1
    return torch.cat((drawn, train_vae.stack(train_vae.samples(rng, count // 4, others), PX)))[:, :, None]


def drawn(clips, frames=motion_data.FRAMES):
    return torch.from_numpy(np.stack([motion_data.draw(c, PX, frames) for c in clips])).permute(0, 4, 1, 2, 3).contiguous() * 2 - 1


def rows(clips, path):
    """One clip a row, as a PNG."""
    pictures = ((clips.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 4, 1).numpy()
    n, frames, px = pictures.shape[:3]
    sheet = Image.new("RGB", (frames * px, n * px))
    for j in range(n):
        for i in range(frames):
            sheet.paste(Image.fromarray(pictures[j, i]), (i * px, j * px))
    sheet.save(path)


class Run:
    """A loop with two optimizers, an average, checkpoints: what the three stages share."""

    def __init__(self, stage, module, hidden, rest, args, rank):
        common.alike(module)
        self.module, self.args, self.rank, self.stage = module, args, rank, stage
        self.muon = Muon([{"params": p, "share": share} for p, share in hidden], lr=args.lr)
        self.adam = torch.optim.AdamW(rest, lr=args.adam_lr, betas=(0.9, 0.98), weight_decay=0.0)
        self.names = [n for n, p in module.named_parameters() if p.requires_grad]
        self.average = common.Average(module.parameters(), args.average)
        self.path = common.STATE / f"motion-{stage}.pt"
        state = common.load(self.path)
        self.step, self.clock, self.running = 0, common.Clock(state["seconds"] if state else 0.0), None
        if state:
            module.load_state_dict(state["model"])
            self.muon.load_state_dict(state["muon"])
            self.adam.load_state_dict(state["adam"])
            self.average.restore(state["ema"])
            self.step = state["step"]

    def save(self):
        weights = dict(self.module.state_dict())
        weights.update(zip(self.names, self.average.values))
        common.save(self.path, {
            "model": self.module.state_dict(), "muon": self.muon.state_dict(), "adam": self.adam.state_dict(),
            "ema": self.average.state(), "average": weights, "step": self.step, "seconds": self.clock.seconds,
        })

    def loop(self, losses, look):
        """`losses(rng)` gives the terms of one batch; `look()` writes a picture with the averaged weights."""
        a = self.args
        while self.step < a.steps:
            rng = random.Random(991 + self.step * a.ranks + self.rank)
            torch.manual_seed(self.step * a.ranks + self.rank)
            late = max(0.0, (self.step - a.steps * (1 - a.cooldown)) / max(1.0, a.steps * a.cooldown))
            rate = min(1.0, (self.step + 1) / 100) * (1 - late)
            self.adam.param_groups[0]["lr"] = a.adam_lr * rate
            for group in self.muon.param_groups:
                group["lr"] = a.lr * rate * group["share"]
            terms = losses(rng)
            self.muon.zero_grad(set_to_none=True)
            self.adam.zero_grad(set_to_none=True)
            sum(terms).backward()
            common.share(self.module.parameters())
            torch.nn.utils.clip_grad_norm_(self.adam.param_groups[0]["params"], 1.0)
            self.muon.step()
            self.adam.step()
            self.step += 1
            now = torch.stack([t.detach() for t in terms])
            self.running = now if self.running is None else self.running.lerp(now, 0.03)
            if self.rank:
                continue
            self.average.update()
            if self.step % 25 == 0:
                print(f"step {self.step} " + " ".join(f"{float(r):.4f}" for r in self.running) + f" {self.clock.seconds:.0f} s", flush=True)
            if self.clock.due("save", 300):
                self.save()
            if self.clock.due("look", a.look_every):
                self.look(look)
        if self.rank == 0:
            self.save()
            self.look(look)
            print("done", flush=True)

    def look(self, look):
        self.average.swap()
        with torch.no_grad():
            look()
        self.average.swap()


def train_autoencoder(args, rank):
    vae = motion_model.make_vae()
    forget_the_past(vae)
    hidden = [p for n, p in vae.named_parameters() if p.ndim > 3 and "conv_in" not in n and "decoder.conv_out" not in n and "gamma" not in n]
    chosen = {id(p) for p in hidden}
    run = Run("frames", vae, [(hidden, 1.0)], [p for p in vae.parameters() if id(p) not in chosen], args, rank)
    others = train_vae.every_emoji()

    def losses(rng):
        x = frames_batch(rng, args.batch, others)
        mean, logvar = encoded(vae, x)
        y = decoded(vae, mean + torch.randn_like(mean) * (0.5 * logvar).exp())
        kl = 0.5 * (mean**2 + logvar.exp() - 1 - logvar).mean()
        return train_vae.picture_loss(y[:, :, 0], x[:, :, 0]), 5e-4 * kl

    def look():
        x = frames_batch(random.Random(4), 12, others)
        rows(torch.cat((clips(x, 1), clips(decoded(vae, encoded(vae, x)[0]), 1))), common.STATE / "motion-frames.png")

    run.loop(losses, look)


def latents_of(vae, args, rank):
    """Latents of `args.cache` short clips and a sixth as many long ones: by number of frames, their seeds' first and the latents.
    And each channel's mean and deviation."""
    cached = {}
    for frames, count in ((motion_data.FRAMES, args.cache), (motion_data.LONG, args.cache // 6)):
        first = 50_000_000 + rank * 10_000_000 + frames * 100_000
        path = common.STATE / f"motion-latents-{frames}-{count}-{rank}.pt"
        state = common.load(path)
        if state is None:
            parts = []
            with torch.no_grad():
                for a in range(first, first + count, 4):
                    some = [motion_data.sample(random.Random(i), random.Random(0)) for i in range(a, min(a + 4, first + count))]
                    parts.append(clips(encoded(vae, singles(drawn(some, frames)))[0], len(some)).bfloat16())
            state = {"latents": torch.cat(parts)}
            common.save(path, state)
        cached[frames] = (first, state["latents"])
    scale = common.STATE / "motion-scale.pt"
    if rank == 0 and not scale.exists():
        f = cached[motion_data.FRAMES][1].float()
        common.save(scale, {"mean": f.mean((0, 2, 3, 4)), "std": f.std((0, 2, 3, 4))})
    common.meet()
    return cached, common.load(scale)


PROBES = ["a rocket moving up", "a car moving left on a yellow background", "a spinning star on a black background", "a balloon rising in the sky",
          "an apple bouncing", "a cat getting bigger on a pink background"]


@torch.no_grad()
def video(network, captions, prompts, scale, frames=motion_data.FRAMES, steps=12, shift=3.0, guidance=1.0, seed=42):
    """What WanPipeline does with FlowMatchEulerDiscreteScheduler, the fast way: raw latents for the VAE."""
    ids, lengths = captions.batch(prompts)
    blank, blank_lengths = captions.batch([""] * len(prompts))
    x = torch.stack([torch.randn(16, frames, PX // 8, PX // 8, generator=torch.Generator().manual_seed(seed + i)) for i in range(len(prompts))])
    low = shift / 1000 / (1 + (shift - 1) / 1000)  # the scheduler's sigma_min
    s = torch.linspace(1, low, steps)
    s = torch.cat((shift * s / (1 + (shift - 1) * s), torch.zeros(1)))
    for i in range(steps):
        t = (s[i] * 1000).expand(len(x))
        v = network.velocity(x, t, ids, lengths).float()
        if guidance > 1:
            w = network.velocity(x, t, blank, blank_lengths).float()
            v = w + guidance * (v - w)
        x = x + (s[i + 1] - s[i]) * v
    return x * scale["std"].view(1, -1, 1, 1, 1) + scale["mean"].view(1, -1, 1, 1, 1)


def padded(progress):
    """How many places the prompt has in training: none but its words in the first half, the pipeline's 512 at the end."""
    return round(motion_model.PLACES * (motion_model.PROMPT / motion_model.PLACES) ** min(1, (progress - 0.5) / 0.3)) if progress > 0.5 else 0


def train_video(args, rank):
    vae = motion_model.make_vae()
    vae.load_state_dict(common.load(common.STATE / "motion-frames.pt")["average"])
    vae.requires_grad_(False).eval()
    if rank == 0:
        motion_model.tokenizer_at(common.STATE / "motion-tokenizer")
    common.meet()
    tokenizer = motion_model.tokenizer_at(common.STATE / "motion-tokenizer")
    captions = motion_model.Captions(tokenizer)
    cached, scale = latents_of(vae, args, rank)
    network = motion_model.MotionModel(tokenizer.get_vocab_size())
    torch.nn.init.zeros_(network.transformer.proj_out.weight)
    motion_model.listen(network)
    hidden = {n: p for n, p in network.named_parameters() if p.requires_grad and p.ndim == 2 and any(w in n for w in (".attn", ".ffn.", "SelfAttention.", "DenseReluDense.")) and "relative" not in n}
    chosen = {id(p) for p in hidden.values()}
    # A batch of clips has few captions: what reads them takes smaller steps.
    shares = [([p for n, p in hidden.items() if n.startswith("text.") == text], share) for text, share in ((True, 0.3), (False, 1.0))]
    run = Run("video", network, shares, [p for p in network.parameters() if p.requires_grad and id(p) not in chosen], args, rank)
    mean, std = scale["mean"].view(1, -1, 1, 1, 1), scale["std"].view(1, -1, 1, 1, 1)
    velocity = network.velocity
    if args.compile:
        torch._inductor.config.pattern_matcher = False  # it would put the fused attention back
        velocity = torch.compile(velocity, dynamic=False)

    def losses(rng):
        # Single frames, of as many clips as they make a batch of the same size, teach what the words look like: at first mostly
        # these. A long clip has nearly twice the tokens of a short one.
        progress, turn = run.step / args.steps, run.step % 6
        alone = turn < 5 if progress < 0.2 else turn == 0
        long = turn == 5 and progress > 0.5
        frames, count = (motion_data.LONG, args.batch // 2) if long else (motion_data.FRAMES, args.batch)
        if alone:
            count *= motion_data.FRAMES
        first, latents = cached[frames]
        picked = [rng.randrange(len(latents)) for _ in range(count)]
        chosen = [motion_data.sample(random.Random(first + i), rng) for i in picked]
        silent = [rng.random() < 0.05 for _ in chosen]
        texts = ["" if s else c.caption for c, s in zip(chosen, silent)]
        labels = torch.tensor([[-1] * 3 if s else motion_data.labels(c) for c, s in zip(chosen, silent)])
        # The subject is a fifth of the picture: left alone the network learns the words for grounds, and no others for a long time.
        weight = 1 + 5 * torch.from_numpy(np.stack([motion_data.covered(c, PX // 8, frames) for c in chosen])).float()[:, None]
        ids, lengths = captions.batch(texts)
        noise_words(ids, lengths, rng, tokenizer.get_vocab_size())
        x0 = latents[picked].float()
        if alone:
            at = [rng.randrange(frames) for _ in picked]
            x0, weight = (torch.stack([clip[:, f : f + 1] for clip, f in zip(both, at)]) for both in (x0, weight))
        x0 = (x0 - mean) / std
        # Words tell something where the picture is nearly all noise: that is most of the first half.
        noise, s = torch.randn_like(x0), sigmas(count, 6.0 if progress < 0.5 else 3.0)
        x = x0 + s.view(-1, 1, 1, 1, 1) * (noise - x0)
        seen = []
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out = velocity(x, s * 1000, ids, lengths, torch.tensor(float(padded(progress))), seen)
        # Captions cost nothing next to clips: what they are about is asked of many more.
        others = [motion_data.sample(rng) for _ in range(48)]
        more, more_lengths = captions.batch([c.caption for c in others])
        noise_words(more, more_lengths, rng, tokenizer.get_vocab_size())
        every, every_lengths = torch.cat((ids, more)), torch.cat((lengths, more_lengths))
        real = torch.arange(every.shape[1])[None, :] < every_lengths[:, None]
        words = network.text(every, real).last_hidden_state
        labels = torch.cat((labels, torch.tensor([motion_data.labels(c) for c in others])))
        return (
            (weight * (out.float() - (noise - x0)) ** 2).mean() / weight.mean(),
            0.05 * network.hints.about(words, every_lengths, labels),
            0.02 * network.hints.where(seen[0], x.shape[2]),
        )

    def look():
        rows(clips(decoded(vae, singles(video(network, captions, PROBES, scale))), len(PROBES)), common.STATE / "motion-video.png")

    run.loop(losses, look)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("stage", choices=["frames", "video"])
    a.add_argument("--steps", type=int, required=True)
    a.add_argument("--cooldown", type=float, default=0.4)
    a.add_argument("--batch", type=int, default=4, help="frames, or clips' latents, of each process")
    a.add_argument("--lr", type=float, default=0.02, help="of Muon")
    a.add_argument("--adam-lr", type=float, default=2e-3)
    a.add_argument("--average", type=float, default=0.998)
    a.add_argument("--cache", type=int, default=800, help="short clips of each process")
    a.add_argument("--compile", action="store_true")
    a.add_argument("--ranks", type=int, default=2)
    a.add_argument("--look-every", type=int, default=600)
    args = a.parse_args()
    rank = common.setup(args.ranks)
    torch.manual_seed(rank)
    train_video(args, rank) if args.stage == "video" else train_autoencoder(args, rank)


if __name__ == "__main__":
    main()
