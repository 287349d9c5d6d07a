"""The networks of omni-emoji, in the classes of diffusers and transformers, and a fast way through them for training.

`Drawer` holds a Qwen3Model and a ZImageTransformer2DModel as published; `Drawer.velocity` computes what the two compute
inside ZImagePipeline, but on whole batches of captions with one padded length and pictures of one size: no lists, no
complex numbers, no masks. `check()` compares the two ways.
"""

import json
import random
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import ZImageTransformer2DModel
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import Qwen2Tokenizer, Qwen3Config, Qwen3Model

import data

TEXT_DIM, TEXT_LAYERS, VOCABULARY = 128, 3, 2048
DIM, LAYERS, HEADS = 192, 6, 3
AXES = [16, 24, 24]

# The turn format of Qwen, as Z-Image uses it: one user message, then the assistant's turn is opened.
CHAT_TEMPLATE = (
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}"
    "{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}"
    "{%- endif %}"
)
SPLIT = (  # the word splitter that Qwen2Tokenizer uses
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def train_tokenizer(seed=5):
    """A small byte-level BPE. It sees every CLDR name and keyword, so that subjects can be added without a new one."""
    rng = random.Random(seed)
    names, keywords = data.cldr()
    text = [data.sample(rng, tier=9).caption for _ in range(40_000)]
    for s in data.subjects(9):
        text += [f"a {n} on a blue background" for n in s.names] * 40
    for n in names.values():
        if n.isascii():
            text += [f"a {n.lower()} on it"] * 12
    for k in keywords.values():
        text += [" " + w.lower() for w in k if w.isascii()]
    text += ["user\n", "assistant\n"] * 500
    t = Tokenizer(models.BPE())
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(SPECIAL), initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False
    )
    t.train_from_iterator(text, trainer)
    bpe = json.loads(t.to_str())["model"]
    merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in bpe["merges"]]
    tokenizer = Qwen2Tokenizer(
        vocab=bpe["vocab"], merges=merges, unk_token="<|endoftext|>", eos_token="<|im_end|>", pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>", "<|im_end|>"], model_max_length=512, padding_side="right",
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def tokenizer_at(folder):
    folder = Path(folder)
    if not (folder / "tokenizer.json").exists():
        train_tokenizer().save_pretrained(folder)
    return Qwen2Tokenizer.from_pretrained(folder)


class Captions:
    """Captions to token ids as ZImagePipeline makes them: chat template, right padding."""

    def __init__(self, tokenizer):
        self.pad = tokenizer.pad_token_id
        self.tokenizer = tokenizer
        left = tokenizer("<|im_start|>user\n", add_special_tokens=False).input_ids
        right = tokenizer("<|im_end|>\n<|im_start|>assistant\n", add_special_tokens=False).input_ids
        self.left, self.right, self.held = left, right, {}

    def ids(self, caption):
        """The template's words and special tokens never join with a caption's, so the parts are encoded apart."""
        if caption not in self.held:
            if len(self.held) > 200_000:
                self.held.clear()
            self.held[caption] = self.left + self.tokenizer(caption, add_special_tokens=False).input_ids + self.right
        return self.held[caption]

    def batch(self, captions, multiple=32):
        """ids [n, length] and lengths [n]; length is the smallest multiple of 32 that holds the longest."""
        rows = [self.ids(c) for c in captions]
        length = -(-max(map(len, rows)) // multiple) * multiple
        ids = torch.full((len(rows), length), self.pad)
        for i, r in enumerate(rows):
            ids[i, : len(r)] = torch.tensor(r)
        return ids, torch.tensor([len(r) for r in rows])


def make_text_encoder(vocabulary=VOCABULARY):
    config = Qwen3Config(
        vocab_size=vocabulary, hidden_size=TEXT_DIM, intermediate_size=256, num_hidden_layers=TEXT_LAYERS, num_attention_heads=2,
        num_key_value_heads=2, head_dim=64, max_position_embeddings=1024, rms_norm_eps=1e-6, tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0}, attn_implementation="sdpa",
        pad_token_id=None, bos_token_id=None, eos_token_id=None,
    )
    return Qwen3Model(config)


def make_transformer():
    return ZImageTransformer2DModel(
        all_patch_size=(2,), all_f_patch_size=(1,), in_channels=16, dim=DIM, n_layers=LAYERS, n_refiner_layers=1, n_heads=HEADS,
        n_kv_heads=HEADS, norm_eps=1e-5, qk_norm=True, cap_feat_dim=TEXT_DIM, rope_theta=256.0, t_scale=1000.0, axes_dims=AXES,
        axes_lens=[1024, 128, 128],
    )


def initialise(text, transformer, seed=3):
    torch.manual_seed(seed)
    for name, p in list(text.named_parameters()) + list(transformer.named_parameters()):
        if p.ndim == 2 and "pad_token" not in name:
            torch.nn.init.normal_(p, std=min(0.05, p.shape[1] ** -0.5))
        elif name.endswith(".bias"):
            torch.nn.init.zeros_(p)
    torch.nn.init.normal_(text.embed_tokens.weight, std=0.5)
    torch.nn.init.normal_(transformer.cap_pad_token, std=0.5)
    for b in [*transformer.noise_refiner, *transformer.layers]:
        torch.nn.init.normal_(b.adaLN_modulation[0].weight, std=0.01)
        with torch.no_grad():  # gates start a little open, scales at one
            b.adaLN_modulation[0].bias.view(4, -1)[1::2] = 0.3
    final = transformer.all_final_layer["2-1"]
    torch.nn.init.zeros_(final.linear.weight)
    torch.nn.init.zeros_(final.adaLN_modulation[1].weight)


def rms(x, weight, eps):
    return F.rms_norm(x, (x.shape[-1],), weight, eps)


def swap_pairs(x):
    """(a, b) to (-b, a) for neighbours: multiplication by i of the complex numbers of Z-Image's rotary embedding."""
    a, b = x.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack((-b, a), -1).flatten(-2)


class Drawer(torch.nn.Module):
    def __init__(self, vocabulary=VOCABULARY):
        super().__init__()
        self.text = make_text_encoder(vocabulary)
        self.transformer = make_transformer()
        self.tables = {}

    def encode(self, ids):
        """hidden_states[-2] of the text encoder: the last layer and the last norm are not used by the pipeline."""
        text = self.text
        x = text.embed_tokens(ids)
        position = torch.arange(ids.shape[1])[None]
        cos, sin = text.rotary_emb(x.float(), position)
        cos, sin = cos[:, None].to(x.dtype), sin[:, None].to(x.dtype)
        for layer in text.layers[:-1]:
            a, eps = layer.self_attn, layer.input_layernorm.variance_epsilon
            h = rms(x, layer.input_layernorm.weight, eps)
            shape = (*h.shape[:2], -1, a.head_dim)
            q = rms(a.q_proj(h).view(shape), a.q_norm.weight, eps).transpose(1, 2)
            k = rms(a.k_proj(h).view(shape), a.k_norm.weight, eps).transpose(1, 2)
            v = a.v_proj(h).view(shape).transpose(1, 2)
            half = a.head_dim // 2
            q = q * cos + torch.cat((-q[..., half:], q[..., :half]), -1) * sin
            k = k * cos + torch.cat((-k[..., half:], k[..., :half]), -1) * sin
            h = F.scaled_dot_product_attention(q.to(v.dtype), k.to(v.dtype), v, is_causal=True).transpose(1, 2).flatten(2)
            x = x + a.o_proj(h)
            h = rms(x, layer.post_attention_layernorm.weight, eps)
            m = layer.mlp
            x = x + m.down_proj(F.silu(m.gate_proj(h)) * m.up_proj(h))
        return x

    def table(self, caption_length, rows, columns):
        """cos and sin of the rotary embedding, [tokens, head_dim], pictures' tokens first."""
        key = (caption_length, rows, columns)
        if key not in self.tables:
            yy, xx = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
            picture = torch.stack((torch.full_like(yy, caption_length + 1), yy, xx), -1).reshape(-1, 3)
            caption = torch.zeros(caption_length, 3, dtype=torch.long)
            caption[:, 0] = torch.arange(1, caption_length + 1)
            ids = torch.cat((picture, caption))
            angles = []
            for axis, d in enumerate(AXES):
                f = 1.0 / (256.0 ** (torch.arange(0, d, 2, dtype=torch.float64) / d))
                angles.append(torch.outer(ids[:, axis].double(), f))
            a = torch.cat(angles, -1).float().repeat_interleave(2, -1)
            self.tables[key] = (a.cos()[None, :, None], a.sin()[None, :, None])
        return self.tables[key]

    @staticmethod
    def block(b, x, table, modulation):
        if modulation is not None:
            scale_a, gate_a, scale_f, gate_f = b.adaLN_modulation(modulation).unsqueeze(1).chunk(4, -1)
            gate_a, gate_f, scale_a, scale_f = gate_a.tanh(), gate_f.tanh(), 1 + scale_a, 1 + scale_f
        a, heads = b.attention, (x.shape[0], x.shape[1], HEADS, -1)
        h = rms(x, b.attention_norm1.weight, 1e-5)
        h = h * scale_a if modulation is not None else h
        cos, sin = table
        q = rms(a.to_q(h).view(heads), a.norm_q.weight, 1e-5)
        k = rms(a.to_k(h).view(heads), a.norm_k.weight, 1e-5)
        v = a.to_v(h).view(heads)
        q = (q * cos + swap_pairs(q) * sin).to(v.dtype)
        k = (k * cos + swap_pairs(k) * sin).to(v.dtype)
        h = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)).transpose(1, 2).flatten(2)
        h = rms(a.to_out[0](h), b.attention_norm2.weight, 1e-5)
        x = x + (gate_a * h if modulation is not None else h)
        h = rms(x, b.ffn_norm1.weight, 1e-5)
        h = h * scale_f if modulation is not None else h
        f = b.feed_forward
        h = rms(f.w2(F.silu(f.w1(h)) * f.w3(h)), b.ffn_norm2.weight, 1e-5)
        return x + (gate_f * h if modulation is not None else h)

    def velocity(self, latents, t, ids, lengths):
        """The transformer's output for latents [n, 16, h, w] at t = 1 - sigma: it points from noise to the picture."""
        m = self.transformer
        n, c, height, width = latents.shape
        rows, columns, size = height // 2, width // 2, ids.shape[1]
        cos, sin = self.table(size, rows, columns)
        tokens = rows * columns
        modulation = m.t_embedder(t * m.t_scale)
        x = latents.view(n, c, rows, 2, columns, 2).permute(0, 2, 4, 3, 5, 1).reshape(n, tokens, 4 * c)
        x = m.all_x_embedder["2-1"](x).float()
        for b in m.noise_refiner:
            x = self.block(b, x, (cos[:, :tokens], sin[:, :tokens]), modulation)
        y = self.encode(ids)
        y = m.cap_embedder[1](rms(y, m.cap_embedder[0].weight, 1e-5))
        padding = torch.arange(size)[None, :] >= lengths[:, None]
        y = torch.where(padding[..., None], m.cap_pad_token.to(y.dtype), y).float()
        for b in m.context_refiner:
            y = self.block(b, y, (cos[:, tokens:], sin[:, tokens:]), None)
        x = torch.cat((x, y), 1)
        for b in m.layers:
            x = self.block(b, x, (cos, sin), modulation)
        final = m.all_final_layer["2-1"]
        x = x[:, :tokens]
        x = F.layer_norm(x, (x.shape[-1],), eps=1e-6) * (1 + final.adaLN_modulation(modulation)).unsqueeze(1)
        x = final.linear(x)
        return x.view(n, rows, columns, 2, 2, c).permute(0, 5, 1, 3, 2, 4).reshape(n, c, height, width)


@torch.no_grad()
def check():
    """The fast way against diffusers' and transformers' own way, random weights."""
    tokenizer = train_tokenizer()
    captions = Captions(tokenizer)
    words = ["a cat on a blue background", "A rocket and a cup of coffee on a table", "", "draw two xylophones, zebra crossing!"]
    drawer = Drawer(len(tokenizer))
    initialise(drawer.text, drawer.transformer)
    for p in drawer.parameters():
        p.add_(torch.randn_like(p) * 0.05)
    templated = [
        tokenizer.apply_chat_template([{"role": "user", "content": w}], tokenize=False, add_generation_prompt=True, enable_thinking=True)
        for w in words
    ]
    theirs = tokenizer(templated, padding="max_length", max_length=512, truncation=True, return_tensors="pt")
    mask = theirs.attention_mask.bool()
    hidden = drawer.text(input_ids=theirs.input_ids, attention_mask=mask, output_hidden_states=True).hidden_states[-2]
    features = [h[m] for h, m in zip(hidden, mask)]
    ids, lengths = captions.batch(words)
    for i in range(len(words)):
        assert theirs.input_ids[i][mask[i]].tolist() == ids[i][: lengths[i]].tolist(), words[i]
    latents, t = torch.randn(len(words), 16, 16, 16), torch.tensor([0.0, 0.3, 0.7, 0.95])
    reference = drawer.transformer([x[:, None] for x in latents], t, features, return_dict=False)[0]
    reference = torch.stack(reference)[:, :, 0]
    own = drawer.velocity(latents, t, ids, lengths)
    print("lengths", lengths.tolist(), "largest difference", float((own - reference).abs().max()), "of", float(reference.abs().max()))
    for w in words:
        print(tokenizer.convert_ids_to_tokens(captions.ids(w)))
    print({k: sum(p.numel() for p in m.parameters()) / 1e6 for k, m in drawer.named_children()}, len(tokenizer))


if __name__ == "__main__":
    check()
