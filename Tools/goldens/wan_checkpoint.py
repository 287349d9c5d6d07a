"""Tiny random Wan checkpoints in the published diffusers layout.

`T2V` has the form of Wan 2.1 T2V, `TI2V` of Wan 2.2 TI2V-5B (one model for text and picture, the autoencoder of 2.2), `A14B` of
Wan 2.2 I2V-A14B (two experts, picture in the channels), `I2V` of Wan 2.1 I2V (the picture seen through CLIP besides). No two
neighbouring sizes are equal.
"""

import base64
import io
import json
import shutil

import sentencepiece
import torch
from diffusers import (AutoencoderKLWan, FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler, WanImageToVideoPipeline, WanPipeline,
                       WanTransformer3DModel)
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModel, PreTrainedTokenizerFast, UMT5Config, UMT5EncoderModel

import recording
import zimage_checkpoint

UNIPC = dict(prediction_type="flow_prediction", use_flow_sigmas=True, num_train_timesteps=1000)
T2V = dict(
    seed=3, pipeline="WanPipeline", tokenizer="sentencepiece", boundary_ratio=None, expand_timesteps=False, experts=1,
    text=dict(d_model=64, d_kv=16, d_ff=96, num_layers=3, num_heads=2, relative_attention_num_buckets=12, relative_attention_max_distance=20),
    transformer=dict(num_attention_heads=3, attention_head_dim=32, in_channels=6, out_channels=6, text_dim=64, freq_dim=48, ffn_dim=160,
                     num_layers=2, cross_attn_norm=True),
    vae=dict(base_dim=2, z_dim=6, dim_mult=[1, 2, 3, 4], num_res_blocks=1, temperal_downsample=[False, True, True],
             latents_mean=[0.1, -0.2, 0.3, -0.1, 0.05, 0.2], latents_std=[1.1, 0.9, 1.3, 0.8, 1.2, 0.7]),
    scheduler=UniPCMultistepScheduler(flow_shift=3.0, **UNIPC),
    size=(48, 32, 9), defaults=dict(width=48, height=32, frames=9, fps=8, steps=4, guidance_scale=4.0),
)
TI2V = dict(
    seed=5, pipeline="WanPipeline", tokenizer="starter", boundary_ratio=None, expand_timesteps=True, experts=1,
    text=dict(d_model=40, d_kv=12, d_ff=72, num_layers=2, num_heads=3, relative_attention_num_buckets=8, relative_attention_max_distance=16),
    transformer=dict(num_attention_heads=2, attention_head_dim=28, in_channels=8, out_channels=8, text_dim=40, freq_dim=32, ffn_dim=88,
                     num_layers=2, cross_attn_norm=True),
    vae=dict(base_dim=4, decoder_base_dim=6, z_dim=8, dim_mult=[1, 2, 4, 4], num_res_blocks=1, temperal_downsample=[False, True, True],
             latents_mean=[0.1, -0.2, 0.3, -0.1, 0.05, 0.2, 0.0, 0.4], latents_std=[1.1, 0.9, 1.3, 0.8, 1.2, 0.7, 1.0, 0.6], is_residual=True,
             in_channels=12, out_channels=12, patch_size=2, scale_factor_spatial=16),
    scheduler=UniPCMultistepScheduler(flow_shift=5.0, **UNIPC),
    size=(96, 64, 5), defaults=dict(width=96, height=64, frames=5, fps=8, steps=4, guidance_scale=5.0),
)
A14B = dict(
    seed=9, pipeline="WanImageToVideoPipeline", tokenizer="starter", boundary_ratio=0.8, expand_timesteps=False, experts=2,
    text=dict(d_model=48, d_kv=20, d_ff=56, num_layers=2, num_heads=2, relative_attention_num_buckets=16, relative_attention_max_distance=32),
    transformer=dict(num_attention_heads=5, attention_head_dim=12, in_channels=16, out_channels=6, text_dim=48, freq_dim=24, ffn_dim=72,
                     num_layers=2, cross_attn_norm=False),
    vae=dict(T2V["vae"], latents_mean=[0.0, 0.1, -0.3, 0.2, 0.15, -0.2]),
    scheduler=UniPCMultistepScheduler(flow_shift=3.0, **UNIPC),
    size=(48, 32, 5), defaults=dict(width=48, height=32, frames=5, fps=8, steps=4, guidance_scale=3.5),
)
I2V = dict(
    seed=13, pipeline="WanImageToVideoPipeline", tokenizer="starter", boundary_ratio=None, expand_timesteps=False, experts=1,
    text=dict(d_model=32, d_kv=12, d_ff=44, num_layers=1, num_heads=3, relative_attention_num_buckets=8, relative_attention_max_distance=16),
    transformer=dict(num_attention_heads=2, attention_head_dim=20, in_channels=16, out_channels=6, text_dim=32, freq_dim=24, ffn_dim=72,
                     num_layers=2, cross_attn_norm=True, image_dim=28, added_kv_proj_dim=40),
    vae=T2V["vae"],
    clip=dict(hidden_size=28, intermediate_size=52, num_hidden_layers=3, num_attention_heads=4, image_size=24, patch_size=6, hidden_act="gelu"),
    scheduler=UniPCMultistepScheduler(flow_shift=3.0, **UNIPC),
    size=(48, 32, 5), defaults=dict(width=48, height=32, frames=5, fps=8, steps=4, guidance_scale=5.0),
)

CORPUS = zimage_checkpoint.CORPUS + [
    "a cat walks on the grass, realistic", "a rocket moving up, a spinning yellow star on a blue background", "it's 3.14 or 2,718; yes!",
    "bright tones, overexposed, static, blurred details, subtitles, worst quality, low quality", "色调艳丽,过曝,静态,细节模糊不清,字幕,风格",
]


def pieces(**options):
    """What SentencePiece learns of the corpus: pieces with their scores, and the table of its normalization."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS * 4), model_writer=model, model_type="unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
        character_coverage=0.98, num_threads=1, minloglevel=2, **options)
    proto = sentencepiece_model_pb2.ModelProto.FromString(model.getvalue())
    return [(piece.piece, piece.score) for piece in proto.pieces], proto.normalizer_spec.precompiled_charsmap


def sentencepiece_tokenizer():
    """As UMT5's: SentencePiece's own normalization, pieces for bytes, sentinels behind."""
    known, table = pieces(vocab_size=404, byte_fallback=True, normalization_rule_name="nmt_nfkc")
    words = Tokenizer(models.Unigram(known, unk_id=2, byte_fallback=True))
    words.normalizer = normalizers.Sequence([
        normalizers.Precompiled(table), normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), "▁")])
    words.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    words.add_special_tokens([AddedToken(f"<extra_id_{i}>", lstrip=True, rstrip=True, normalized=False) for i in range(3)])
    return words


def starter_tokenizer():
    """As the starter model's: NFKC, no pieces for bytes."""
    known, _ = pieces(vocab_size=150, normalization_rule_name="nfkc")
    words = Tokenizer(models.Unigram(known, unk_id=2))
    words.normalizer = normalizers.NFKC()
    words.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")])
    return words


def tokenizer(kind):
    words = sentencepiece_tokenizer() if kind == "sentencepiece" else starter_tokenizer()
    words.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    words.add_special_tokens(["<pad>", "</s>", "<unk>"])
    words.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=words, eos_token="</s>", pad_token="<pad>", unk_token="<unk>", model_max_length=512)


def randomize(module, generator):
    recording.randomize(module, generator, embeddings=("relative_attention_bias", "shared", "embed_tokens"), tables=("scale_shift_table",), last=0.8)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name.endswith("SelfAttention.q.weight"):
                parameter.mul_(0.3)
    return module


def pipeline(spec):
    generator = torch.Generator().manual_seed(spec["seed"])
    words = tokenizer(spec["tokenizer"])
    text = UMT5Config(vocab_size=len(words), feed_forward_proj="gated-gelu", dropout_rate=0.0, pad_token_id=0, eos_token_id=1, **spec["text"])
    experts = [randomize(WanTransformer3DModel(**spec["transformer"]), generator) for _ in range(spec["experts"])]
    further = {}
    if "clip" in spec:
        side = spec["clip"]["image_size"]
        further = dict(image_encoder=randomize(CLIPVisionModel(CLIPVisionConfig(**spec["clip"])), generator),
                       image_processor=CLIPImageProcessor(size={"shortest_edge": side}, crop_size={"height": side, "width": side}))
    kind = {"WanPipeline": WanPipeline, "WanImageToVideoPipeline": WanImageToVideoPipeline}[spec["pipeline"]]
    return kind(
        tokenizer=words, text_encoder=randomize(UMT5EncoderModel(text), generator), vae=randomize(AutoencoderKLWan(**spec["vae"]), generator),
        scheduler=spec["scheduler"], transformer=experts[0], transformer_2=experts[1] if len(experts) > 1 else None,
        boundary_ratio=spec["boundary_ratio"], expand_timesteps=spec["expand_timesteps"], **further)


def save(pipe, spec, folder):
    """As published; what a user would leave open stands in `omni.json`, since no field of the layout holds it."""
    shutil.rmtree(folder, ignore_errors=True)
    pipe.save_pretrained(folder, safe_serialization=True)
    (folder / "README.md").unlink(missing_ok=True)
    index = json.loads((folder / "model_index.json").read_text())
    index["tokenizer"] = ["transformers", "T5TokenizerFast"]
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    (folder / "omni.json").write_text(json.dumps(spec["defaults"], indent=2) + "\n")
