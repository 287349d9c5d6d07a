"""The networks of omni-emoji-motion, in the classes of diffusers and transformers, and a fast way through them for training.

WanPipeline pads every prompt to 512 vectors, zeros after the encoder, and the cross-attention sees all of them. Those
pads are alike, so `MotionModel.velocity` keeps 32 places and lets the pads among them weigh as much as all the pads would:
a bias of log(pads of the pipeline / pads here) on their attention logits. `check()` compares the two ways.
"""

import json
import math
import random
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import T5TokenizerFast, UMT5Config, UMT5EncoderModel

import data
import motion_data
from model import rms, swap_pairs

TEXT_DIM, TEXT_LAYERS, VOCABULARY, PLACES, PROMPT = 128, 2, 1536, 32, 512
DIM, LAYERS, HEADS, FFN = 192, 6, 3, 512


def make_vae(mean=None, std=None):
    """One latent for each frame: to pack four into one takes hours of training that two cores do not have."""
    extra = {} if mean is None else {"latents_mean": mean, "latents_std": std}
    return AutoencoderKLWan(
        base_dim=16, z_dim=16, dim_mult=[1, 2, 4, 4], num_res_blocks=1, attn_scales=[], temperal_downsample=[False, False, False],
        scale_factor_temporal=1, dropout=0.0, **extra,
    )


def make_text_encoder(vocabulary=VOCABULARY):
    return UMT5EncoderModel(UMT5Config(
        vocab_size=vocabulary, d_model=TEXT_DIM, d_kv=64, d_ff=256, num_layers=TEXT_LAYERS, num_heads=2,
        relative_attention_num_buckets=32, relative_attention_max_distance=128, dropout_rate=0.0, feed_forward_proj="gated-gelu",
        pad_token_id=0, eos_token_id=1,
    ))


def make_transformer():
    return WanTransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=HEADS, attention_head_dim=DIM // HEADS, in_channels=16, out_channels=16,
        text_dim=TEXT_DIM, freq_dim=256, ffn_dim=FFN, num_layers=LAYERS, cross_attn_norm=True, qk_norm="rms_norm_across_heads",
        eps=1e-6, rope_max_seq_len=1024,
    )


def train_tokenizer(seed=5):
    """A small Unigram in the T5 format: <pad> 0, </s> 1, <unk> 2, words begin with ▁, </s> ends every prompt."""
    rng = random.Random(seed)
    text = [motion_data.sample(rng, everything=True).caption for _ in range(30_000)]
    text += [w.replace("{s}", "a cat") for w in motion_data.HELD_OUT.values()]
    names, _ = data.cldr()
    text += [f"a {n.lower()}" for n in names.values() if n.isascii()]
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.NFKC()
    t.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    t.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    trainer = trainers.UnigramTrainer(
        vocab_size=VOCABULARY, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False,
        initial_alphabet=[chr(c) for c in range(33, 127)],
    )
    t.train_from_iterator(text, trainer)
    t.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return t


def tokenizer_at(folder):
    folder = Path(folder)
    if not (folder / "tokenizer.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        train_tokenizer().save(str(folder / "tokenizer.json"))
        (folder / "tokenizer_config.json").write_text(json.dumps({
            "tokenizer_class": "T5TokenizerFast", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>",
            "model_max_length": PROMPT, "extra_ids": 0, "padding_side": "right",
        }, indent=2) + "\n")
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


class Captions:
    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def batch(self, captions, places=PLACES):
        """ids [n, places] and lengths [n]; a caption is cut so that one pad at least is left."""
        ids, lengths = torch.zeros(len(captions), places, dtype=torch.long), []
        for i, c in enumerate(captions):
            row = self.tokenizer.encode(" ".join(c.split())).ids
            row = row if len(row) < places else row[: places - 2] + [1]
            ids[i, : len(row)] = torch.tensor(row)
            lengths.append(len(row))
        return ids, torch.tensor(lengths)


class MotionModel(torch.nn.Module):
    def __init__(self, vocabulary=VOCABULARY):
        super().__init__()
        self.text = make_text_encoder(vocabulary)
        self.transformer = make_transformer()
        self.hints = Hints()
        self.tables = {}

    def table(self, shape):
        if shape not in self.tables:
            cos, sin = self.transformer.rope(torch.empty(1, 1, *shape))
            self.tables[shape] = (cos.float(), sin.float())
        return self.tables[shape]

    @staticmethod
    def attend(a, x, y, table=None, bias=None):
        heads = (HEADS, DIM // HEADS)
        q = rms(a.to_q(x), a.norm_q.weight, 1e-6).unflatten(-1, heads)
        k = rms(a.to_k(y), a.norm_k.weight, 1e-6).unflatten(-1, heads)
        v = a.to_v(y).unflatten(-1, heads)
        if table is not None:
            cos, sin = table
            q, k = q * cos + swap_pairs(q) * sin, k * cos + swap_pairs(k) * sin
        # Written out: with the fused attention a step on a CPU takes nearly twice as long, most of that backwards.
        q, k, v = (z.to(v.dtype).transpose(1, 2) for z in (q * (DIM // HEADS) ** -0.5, k, v))
        logits = q @ k.transpose(-1, -2)
        if bias is not None:
            logits = logits + bias.to(logits.dtype)
        with torch.autocast("cpu", enabled=False):
            weights = logits.softmax(-1)
        out = weights @ v
        return a.to_out[0](out.transpose(1, 2).flatten(2))

    def velocity(self, latents, timestep, ids, lengths, prompt=PROMPT, seen=None):
        """The transformer's output, noise - x0, for latents [n, 16, frames, h, w] at timestep = 1000 sigma. With `prompt` 0 pads are not seen.
        A list `seen` is given the latents after the second block, for `Hints`."""
        m, places = self.transformer, ids.shape[1]
        real = torch.arange(places)[None, :] < lengths[:, None]
        text = self.text(ids, real).last_hidden_state
        text = torch.where(real[..., None], text, torch.zeros((), dtype=text.dtype))
        weight = torch.log((prompt - lengths).clamp(min=1e-9) / (places - lengths))
        bias = torch.where(real, torch.zeros(()), weight[:, None])[:, None, None, :]
        n, c, frames, height, width = latents.shape
        table = self.table((frames, height, width))
        x = m.patch_embedding(latents).flatten(2).transpose(1, 2).float()
        time, modulation, y, _ = m.condition_embedder(timestep, text, None)
        modulation = modulation.float().unflatten(1, (6, -1))
        for at, b in enumerate(m.blocks):
            shift_a, scale_a, gate_a, shift_f, scale_f, gate_f = (b.scale_shift_table + modulation).chunk(6, 1)
            h = F.layer_norm(x, (DIM,), eps=1e-6) * (1 + scale_a) + shift_a
            x = x + self.attend(b.attn1, h, h, table) * gate_a
            h = F.layer_norm(x, (DIM,), b.norm2.weight, b.norm2.bias, 1e-6)
            x = x + self.attend(b.attn2, h, y, bias=bias)
            h = F.layer_norm(x, (DIM,), eps=1e-6) * (1 + scale_f) + shift_f
            x = x + b.ffn(h) * gate_f
            if seen is not None and at == 1:
                seen.append(x)
        shift, scale = (m.scale_shift_table + time.float().unsqueeze(1)).chunk(2, 1)
        x = m.proj_out(F.layer_norm(x, (DIM,), eps=1e-6) * (1 + scale) + shift)
        x = x.view(n, frames, height // 2, width // 2, 1, 2, 2, c).permute(0, 7, 1, 4, 2, 5, 3, 6)
        return x.reshape(n, c, frames, height, width)


class Hints(torch.nn.Module):
    """Two questions that training asks on the way, and the published model does not hold.

    Of every encoded word: which subject, motion and ground is this caption about? A network that is told so by each word it looks at
    need not find the right word first. Of every latent after the second block: which row, column and frame is this? The position
    embedding tells of two latents how far apart they are and nothing more; where the edges are has to be found in the noise.
    """

    SIDE, TIMES = 8, 9

    def __init__(self):
        super().__init__()
        sizes = (len(motion_data.MOVERS), len(motion_data.MOTIONS), len(motion_data.GROUNDS) + len(motion_data.SCENES) + 1)
        self.words = torch.nn.ModuleList(torch.nn.Linear(TEXT_DIM, n) for n in sizes)
        self.places = torch.nn.ModuleList(torch.nn.Linear(DIM, n) for n in (self.SIDE, self.SIDE, self.TIMES))

    def about(self, text, lengths, labels):
        """How badly the words [n, places, d] tell the labels [n, 3]; a caption with a label of -1 is left out."""
        real = torch.arange(text.shape[1])[None, :] < lengths[:, None]
        target = torch.where(real[..., None], labels[:, None, :], -1).flatten(0, 1)
        text = text.float().flatten(0, 1)
        return sum(F.cross_entropy(head(text), target[:, i], ignore_index=-1) for i, head in enumerate(self.words))

    def where(self, x, frames):
        """How badly the latents [n, frames · rows · columns, d] tell their places."""
        index = torch.arange(frames * self.SIDE**2)
        f, y, x_ = index // self.SIDE**2, index // self.SIDE % self.SIDE, index % self.SIDE
        targets = [y, x_] + ([f * (self.TIMES - 1) // (frames - 1)] if frames > 1 else [])
        x = F.layer_norm(x.float(), (DIM,))
        return sum(F.cross_entropy(head(x).flatten(0, 1), t.repeat(len(x))) for head, t in zip(self.places, targets))


@torch.no_grad()
def listen(network):
    """Starts the cross-attention at the words, and keeps it there. Nearly all of the 512 places are pads, which are alike: left to itself the
    network looks at them alone before it has found out what words are good for (seen three times: after 300 steps nothing of the weight is on
    words any more). Here queries begin pointing away from the pads' key, and what makes them do so is not trained."""
    projection = network.transformer.condition_embedder.text_embedder
    for linear in (projection.linear_1, projection.linear_2):
        torch.nn.init.orthogonal_(linear.weight)
        linear.bias.zero_()
    for b in network.transformer.blocks:
        signs = torch.sign(torch.randn(DIM))
        torch.nn.init.orthogonal_(b.attn2.to_k.weight)
        b.attn2.to_k.bias.copy_(0.1 * signs)
        b.attn2.to_q.bias.copy_(-0.8 * signs)
        b.attn2.to_v.bias.zero_()
        for p in (b.attn2.to_k.bias, b.attn2.to_q.bias, b.attn2.norm_q.weight, b.attn2.norm_k.weight):
            p.requires_grad_(False)


@torch.no_grad()
def check():
    tokenizer = train_tokenizer()
    network = MotionModel(tokenizer.get_vocab_size())
    for p in network.parameters():
        p.add_(torch.randn_like(p) * 0.05)
    words = ["a rocket moving up", "", "A spinning yellow star on a blue background."]
    ids, lengths = Captions(tokenizer).batch(words)
    long, long_lengths = Captions(tokenizer).batch(words, PROMPT)
    assert lengths.tolist() == long_lengths.tolist()
    mask = (torch.arange(PROMPT)[None] < lengths[:, None]).long()
    states = network.text(long, mask).last_hidden_state * mask[..., None]
    x, t = torch.randn(3, 16, 9, 16, 16), torch.tensor([999.0, 500.0, 50.0])
    theirs = network.transformer(x, t, states, return_dict=False)[0]
    own = network.velocity(x, t, ids, lengths)
    print("largest difference", float((own - theirs).abs().max()), "of", float(theirs.abs().max()), lengths.tolist())
    print([tokenizer.encode(w).tokens for w in words])
    vae = make_vae()
    z = vae.encode(torch.randn(1, 3, 9, 64, 64)).latent_dist.mean
    print({k: round(sum(p.numel() for p in m.parameters()) / 1e6, 2) for k, m in [*network.named_children(), ("vae", vae)]}, tuple(z.shape))


if __name__ == "__main__":
    check()
