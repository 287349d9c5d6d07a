"""Makes Tests/Fixtures/speech: speech models of llama.cpp's two architectures, tiny and random, and what llama.cpp's own program
makes of them.

    python -m venv .venv && .venv/bin/pip install torch transformers safetensors sentencepiece protobuf
    .venv/bin/python Tools/voices/tiny_gguf.py LLAMA_CPP Tests/Fixtures/speech [LLAMA_TTS]

LLAMA_CPP is llama.cpp's source tree: checkpoints are written as their makers publish them and go through its converter.
LLAMA_TTS is its program of that name, built from tools/tts; it writes what the tests compare with: `reference.wav` without a
sample (Pocket TTS is not used so), `cloned.wav` with the voice of `sample.wav`.
The weights are random, so the sound means nothing; that it depends on text, seed, language and sample is what tests look at.
"""
import json
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

import numpy
import torch
from safetensors.torch import save_file

CORPUS = "assistant\nThe quick brown fox jumps over the lazy dog. Hello there, how are you today? One, two; three: four! assistant\n"
GENERATOR = torch.Generator()


def weight(*shape: int, scale: float | None = None) -> torch.Tensor:
    """Normal values that keep a signal's size through a matrix or a convolution (the last dimensions count its inputs)."""
    scale = scale or 1 / max(1, int(numpy.prod(shape[1:]))) ** 0.5
    return torch.randn(*shape, generator=GENERATOR) * scale


def linear(tensors: dict, name: str, out: int, into: int, bias: bool = True) -> None:
    tensors[f"{name}.weight"] = weight(out, into)
    if bias:
        tensors[f"{name}.bias"] = weight(out, scale=0.1)


def conv(tensors: dict, name: str, out: int, into: int, kernel: int, bias: bool = True) -> None:
    tensors[f"{name}.weight"] = weight(out, into, kernel)
    if bias:
        tensors[f"{name}.bias"] = weight(out, scale=0.1)


def upconv(tensors: dict, name: str, into: int, out: int, kernel: int) -> None:
    tensors[f"{name}.weight"] = weight(into, out, kernel, scale=into ** -0.5)
    tensors[f"{name}.bias"] = weight(out, scale=0.1)


def norm(tensors: dict, name: str, width: int, bias: bool = False) -> None:
    tensors[f"{name}.weight"] = 1 + weight(width, scale=0.1)
    if bias:
        tensors[f"{name}.bias"] = weight(width, scale=0.1)


# Qwen3-TTS. 3072 codes, 16 codebooks, 8 decoder layers of 16 heads and a speaker encoder of 128 mel bands are llama.cpp's constants.

HIDDEN, HEAD, HEADS, FEED, CODES, GROUPS = 8, 8, 1, 16, 3072, 16
PREDICTOR, ACOUSTIC = 8, 32
TEXT_VOCABULARY = 320
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tts_pad>", "<tts_text_bos>", "<tts_text_eod>"]


def attention(tensors: dict, name: str, width: int, heads: int, head: int) -> None:
    for part in "qkv":
        linear(tensors, f"{name}.{part}_proj", heads * head, width, bias=False)
    linear(tensors, f"{name}.o_proj", width, heads * head, bias=False)


def qwen_layer(tensors: dict, name: str, width: int, feed: int) -> None:
    attention(tensors, f"{name}.self_attn", width, HEADS, HEAD)
    for part in ["self_attn.q_norm", "self_attn.k_norm"]:
        norm(tensors, f"{name}.{part}", HEAD)
    for part in ["input_layernorm", "post_attention_layernorm"]:
        norm(tensors, f"{name}.{part}", width)
    linear(tensors, f"{name}.mlp.gate_proj", feed, width, bias=False)
    linear(tensors, f"{name}.mlp.up_proj", feed, width, bias=False)
    linear(tensors, f"{name}.mlp.down_proj", width, feed, bias=False)


def talker() -> dict:
    tensors: dict = {}
    # Wide: what comes out is to depend on what was said, not on how deep a random network is.
    tensors["talker.model.text_embedding.weight"] = weight(TEXT_VOCABULARY, HIDDEN, scale=1)
    linear(tensors, "talker.text_projection.linear_fc1", HIDDEN, HIDDEN)
    linear(tensors, "talker.text_projection.linear_fc2", HIDDEN, HIDDEN)
    codes = weight(CODES, HIDDEN, scale=0.5)
    head = weight(CODES, HIDDEN, scale=0.5)
    # End-of-speech wins now and then: without this a random model would go on and on.
    head[2150] = weight(HIDDEN, scale=1.7)
    tensors["talker.model.codec_embedding.weight"] = codes
    tensors["talker.codec_head.weight"] = head
    for layer in range(2):
        qwen_layer(tensors, f"talker.model.layers.{layer}", HIDDEN, FEED)
    norm(tensors, "talker.model.norm", HIDDEN)
    predictor = "talker.code_predictor"
    linear(tensors, f"{predictor}.small_to_mtp_projection", PREDICTOR, HIDDEN)
    for group in range(GROUPS - 1):
        tensors[f"{predictor}.model.codec_embedding.{group}.weight"] = weight(ACOUSTIC, HIDDEN, scale=0.3)
        tensors[f"{predictor}.lm_head.{group}.weight"] = weight(ACOUSTIC, PREDICTOR, scale=0.5)
    qwen_layer(tensors, f"{predictor}.model.layers.0", PREDICTOR, FEED)
    norm(tensors, f"{predictor}.model.norm", PREDICTOR)
    return tensors


def speaker_encoder() -> dict:
    tensors: dict = {}
    width, squeeze = 8, 4
    name = "speaker_encoder"
    conv(tensors, f"{name}.blocks.0.conv", width, 128, 5)
    for block in range(1, 4):
        conv(tensors, f"{name}.blocks.{block}.tdnn1.conv", width, width, 1)
        conv(tensors, f"{name}.blocks.{block}.tdnn2.conv", width, width, 1)
        for branch in range(7):
            conv(tensors, f"{name}.blocks.{block}.res2net_block.blocks.{branch}.conv", width // 8, width // 8, 3)
        conv(tensors, f"{name}.blocks.{block}.se_block.conv1", squeeze, width, 1)
        conv(tensors, f"{name}.blocks.{block}.se_block.conv2", width, squeeze, 1)
    conv(tensors, f"{name}.mfa.conv", 3 * width, 3 * width, 1)
    conv(tensors, f"{name}.asp.tdnn.conv", squeeze, 9 * width, 1)
    conv(tensors, f"{name}.asp.conv", 3 * width, squeeze, 1)
    conv(tensors, f"{name}.fc", HIDDEN, 6 * width, 1)
    return tensors


def code2wav() -> dict:
    tensors: dict = {}
    entry, latent, width = 8, 16, 32  # 16 heads of two
    for kind, books, vocabulary in [("first", 1, 2048), ("rest", GROUPS - 1, ACOUSTIC)]:
        quantizer = f"decoder.quantizer.rvq_{kind}"
        for layer in range(books):
            tensors[f"{quantizer}.vq.layers.{layer}._codebook.embedding_sum"] = weight(vocabulary, 4, scale=1)
            tensors[f"{quantizer}.vq.layers.{layer}._codebook.cluster_usage"] = torch.ones(vocabulary)
        tensors[f"{quantizer}.input_proj.weight"] = weight(4, entry, 1)
        tensors[f"{quantizer}.output_proj.weight"] = weight(entry, 4, 1)
    conv(tensors, "decoder.pre_conv.conv", latent, entry, 3)
    transformer = "decoder.pre_transformer"
    linear(tensors, f"{transformer}.input_proj", width, latent)
    linear(tensors, f"{transformer}.output_proj", latent, width)
    norm(tensors, f"{transformer}.norm", width)
    for layer in range(8):
        name = f"{transformer}.layers.{layer}"
        attention(tensors, f"{name}.self_attn", width, 16, 2)
        for part in ["input_layernorm", "post_attention_layernorm"]:
            norm(tensors, f"{name}.{part}", width)
        for part, (out, into) in {"gate_proj": (16, width), "up_proj": (16, width), "down_proj": (width, 16)}.items():
            linear(tensors, f"{name}.mlp.{part}", out, into, bias=False)
        for part in ["self_attn_layer_scale", "mlp_layer_scale"]:
            tensors[f"{name}.{part}.scale"] = torch.full((width,), 0.1)
    for block in range(2):
        name = f"decoder.upsample.{block}"
        upconv(tensors, f"{name}.0.conv", latent, latent, 2)
        conv(tensors, f"{name}.1.dwconv.conv", latent, 1, 7)
        norm(tensors, f"{name}.1.norm", latent, bias=True)
        linear(tensors, f"{name}.1.pwconv1", 2 * latent, latent)
        linear(tensors, f"{name}.1.pwconv2", latent, 2 * latent)
        tensors[f"{name}.1.gamma"] = torch.full((latent,), 0.1)

    def snake(name: str, channels: int) -> None:
        tensors[f"{name}.alpha"] = weight(channels, scale=0.1)
        tensors[f"{name}.beta"] = weight(channels, scale=0.1)

    channels = 8
    conv(tensors, "decoder.decoder.0.conv", channels, latent, 7)
    for block, rate in enumerate([8, 5, 4, 3], start=1):
        name, into, channels = f"decoder.decoder.{block}.block", channels, max(2, channels // 2)
        snake(f"{name}.0", into)
        upconv(tensors, f"{name}.1.conv", into, channels, 2 * rate)
        for unit in range(2, 5):
            snake(f"{name}.{unit}.act1", channels)
            conv(tensors, f"{name}.{unit}.conv1.conv", channels, channels, 7)
            snake(f"{name}.{unit}.act2", channels)
            conv(tensors, f"{name}.{unit}.conv2.conv", channels, channels, 1)
            tensors[f"{name}.{unit}.conv2.conv.weight"] *= 0.2
    snake("decoder.decoder.5", channels)
    conv(tensors, "decoder.decoder.6.conv", 1, channels, 7)
    # About as loud as speech.
    tensors["decoder.decoder.6.conv.weight"] *= 0.02
    tensors["decoder.decoder.6.conv.bias"] *= 0
    return tensors


def qwen(folder: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator([CORPUS] * 4, trainer)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>", additional_special_tokens=SPECIAL[1:])
    wrapped.save_pretrained(folder)
    save_file(talker() | speaker_encoder(), folder / "model.safetensors")
    (folder / "speech_tokenizer").mkdir()
    save_file(code2wav(), folder / "speech_tokenizer" / "model.safetensors")
    decoder = {"num_hidden_layers": 8, "upsampling_ratios": [2, 2], "upsample_rates": [8, 5, 4, 3]}
    (folder / "speech_tokenizer" / "config.json").write_text(json.dumps({"decoder_config": decoder}))
    shape = {"num_attention_heads": HEADS, "num_key_value_heads": HEADS, "head_dim": HEAD, "intermediate_size": FEED, "rms_norm_eps": 1e-6}
    config = {
        "architectures": ["Qwen3TTSForConditionalGeneration"], "model_type": "qwen3_tts", "tts_model_type": "base",
        "speaker_encoder_config": {"enc_dim": HIDDEN, "sample_rate": 24000},
        "talker_config": shape | {
            "hidden_size": HIDDEN, "num_hidden_layers": 2, "text_vocab_size": TEXT_VOCABULARY, "vocab_size": CODES, "hidden_act": "silu",
            "max_position_embeddings": 4096, "rope_theta": 1e6, "rope_scaling": {"mrope_section": [2, 1, 1], "rope_type": "default"},
            "codec_pad_id": 2148, "codec_bos_id": 2149, "codec_eos_token_id": 2150, "codec_think_id": 2154, "codec_nothink_id": 2155,
            "codec_think_bos_id": 2156, "codec_think_eos_id": 2157,
            "codec_language_id": {"english": 2050, "german": 2053, "chinese": 2055},
            "code_predictor_config": shape | {"hidden_size": PREDICTOR, "num_hidden_layers": 1, "vocab_size": ACOUSTIC},
        },
    }
    (folder / "config.json").write_text(json.dumps(config))


# Pocket TTS. Heads of 64, three stages of 4, 5 and 6, a factor of 16 and latents at 12.5 Hz are llama.cpp's constants.

WIDTH, LATENT, FLOW = 64, 8, 16


def pocket_layer(tensors: dict, name: str, scales: bool) -> None:
    linear(tensors, f"{name}.self_attn.in_proj", 3 * WIDTH, WIDTH, bias=False)
    linear(tensors, f"{name}.self_attn.out_proj", WIDTH, WIDTH, bias=False)
    norm(tensors, f"{name}.norm1", WIDTH, bias=True)
    norm(tensors, f"{name}.norm2", WIDTH, bias=True)
    linear(tensors, f"{name}.linear1", WIDTH, WIDTH, bias=False)
    linear(tensors, f"{name}.linear2", WIDTH, WIDTH, bias=False)
    if scales:
        for part in ["layer_scale_1", "layer_scale_2"]:
            tensors[f"{name}.{part}.scale"] = torch.full((WIDTH,), 0.3)


def flow_lm(vocabulary: int) -> dict:
    tensors: dict = {}
    tensors["flow_lm.conditioner.embed.weight"] = weight(vocabulary + 1, WIDTH, scale=1)
    tensors["flow_lm.bos_before_voice"] = weight(1, 1, WIDTH, scale=1)
    tensors["flow_lm.bos_emb"] = weight(LATENT, scale=1)
    tensors["flow_lm.input_linear.weight"] = weight(WIDTH, LATENT)
    tensors["flow_lm.speaker_proj_weight"] = weight(WIDTH, LATENT)
    tensors["flow_lm.emb_mean"] = weight(LATENT, scale=0.1)
    tensors["flow_lm.emb_std"] = torch.ones(LATENT)
    norm(tensors, "flow_lm.out_norm", WIDTH, bias=True)
    pocket_layer(tensors, "flow_lm.transformer.layers.0", scales=False)
    # Above llama.cpp's threshold of -4 now and then, so that speech ends.
    tensors["flow_lm.out_eos.weight"] = weight(1, WIDTH, scale=0.3)
    tensors["flow_lm.out_eos.bias"] = torch.full((1,), -5.0)
    net = "flow_lm.flow_net"
    linear(tensors, f"{net}.input_proj", FLOW, LATENT)
    linear(tensors, f"{net}.cond_embed", FLOW, WIDTH)
    linear(tensors, f"{net}.final_layer.linear", LATENT, FLOW)
    linear(tensors, f"{net}.final_layer.adaLN_modulation.1", 2 * FLOW, FLOW)
    for time in range(2):
        tensors[f"{net}.time_embed.{time}.freqs"] = torch.exp(-torch.arange(4) / 4 * 9.2)
        linear(tensors, f"{net}.time_embed.{time}.mlp.0", FLOW, 8)
        linear(tensors, f"{net}.time_embed.{time}.mlp.2", FLOW, FLOW)
        tensors[f"{net}.time_embed.{time}.mlp.3.alpha"] = torch.ones(FLOW)
    name = f"{net}.res_blocks.0"
    norm(tensors, f"{name}.in_ln", FLOW, bias=True)
    linear(tensors, f"{name}.mlp.0", FLOW, FLOW)
    linear(tensors, f"{name}.mlp.2", FLOW, FLOW)
    linear(tensors, f"{name}.adaLN_modulation.1", 3 * FLOW, FLOW)
    return tensors


def mimi() -> dict:
    tensors: dict = {}
    pocket_layer(tensors, "mimi.encoder_transformer.transformer.layers.0", scales=True)
    pocket_layer(tensors, "mimi.decoder_transformer.transformer.layers.0", scales=True)
    encoder, channels = "mimi.encoder.model", 2
    conv(tensors, f"{encoder}.0.conv", channels, 1, 7)
    for stage, ratio in enumerate([4, 5, 6]):
        conv(tensors, f"{encoder}.{1 + 3 * stage}.block.1.conv", channels, channels, 3)
        conv(tensors, f"{encoder}.{1 + 3 * stage}.block.3.conv", channels, channels, 1)
        conv(tensors, f"{encoder}.{3 + 3 * stage}.conv", 2 * channels, channels, 2 * ratio)
        channels *= 2
    conv(tensors, f"{encoder}.11.conv", WIDTH, channels, 3)
    conv(tensors, "mimi.downsample.conv.conv", LATENT, WIDTH, 32, bias=False)
    tensors["mimi.upsample.convtr.convtr.weight"] = weight(WIDTH, 1, 32, scale=0.7)
    tensors["mimi.quantizer.output_proj.weight"] = weight(WIDTH, LATENT, 1)
    decoder = "mimi.decoder.model"
    conv(tensors, f"{decoder}.0.conv", channels, WIDTH, 7)
    for stage, ratio in enumerate([6, 5, 4]):
        upconv(tensors, f"{decoder}.{2 + 3 * stage}.convtr", channels, channels // 2, 2 * ratio)
        channels //= 2
        conv(tensors, f"{decoder}.{3 + 3 * stage}.block.1.conv", channels, channels, 3)
        conv(tensors, f"{decoder}.{3 + 3 * stage}.block.3.conv", channels, channels, 1)
    conv(tensors, f"{decoder}.11.conv", 1, channels, 3)
    tensors[f"{decoder}.11.conv.weight"] *= 0.06
    tensors[f"{decoder}.11.conv.bias"] *= 0
    return tensors


def pocket(folder: Path) -> None:
    import sentencepiece

    (folder / "corpus.txt").write_text("\n".join([CORPUS] * 20))
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "corpus.txt"), model_prefix=str(folder / "tokenizer"), vocab_size=64, model_type="unigram", hard_vocab_limit=False,
        normalization_rule_name="identity", minloglevel=2)
    vocabulary = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model")).vocab_size()
    save_file(flow_lm(vocabulary) | mimi(), folder / "model.safetensors")


CONVERT = """
import sys
from conversion.base import ModelBase, TextModel
# The real tokenizer's fingerprint is known to the converter; this small one stands in for it.
TextModel.get_vocab_base_pre = lambda self, tokenizer: "qwen2"
import convert_hf_to_gguf
sys.argv[0] = "convert_hf_to_gguf.py"
convert_hf_to_gguf.main()
"""


def convert(llama: Path, checkpoint: Path, out: Path, *flags: str) -> None:
    subprocess.run(
        [sys.executable, "-c", CONVERT, str(checkpoint), "--outfile", str(out), "--outtype", "f16", *flags], cwd=llama, check=True,
        env={"PYTHONPATH": f"{llama}:{llama}/gguf-py", "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"})


def sample(path: Path) -> None:
    """A good second of a rising and falling tone, for cloning."""
    time = numpy.arange(28_000) / 24_000
    tone = 0.4 * numpy.sin(2 * numpy.pi * (180 * time + 40 * numpy.sin(4 * time))) + 0.1 * numpy.sin(2 * numpy.pi * 720 * time)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(24_000)
        file.writeframes((tone * 32_767).astype("<i2").tobytes())


# Of those tried, seeds whose models end their sentences after a second or two.
SEEDS = {"qwen3-tts": 2, "pocket-tts": 2}
REFERENCE = ["-p", "Hello there.", "--seed", "7", "--top-k", "50", "--top-p", "1", "--min-p", "0", "--temp", "0.9", "--repeat-penalty", "1.05",
             "--repeat-last-n", "512", "-n", "10", "-c", "512", "-t", "1"]


def main() -> None:
    llama, out = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    out.mkdir(parents=True, exist_ok=True)
    sample(out / "sample.wav")
    for name, make, projector in [("qwen3-tts", qwen, "mmproj-qwen3-tts"), ("pocket-tts", pocket, "mmproj-pocket-tts")]:
        (out / name).mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            # Pocket TTS is known by the name of its folder.
            checkpoint = Path(scratch) / "english"
            checkpoint.mkdir()
            GENERATOR.manual_seed(SEEDS[name])
            make(checkpoint)
            convert(llama, checkpoint, out / name / f"{name}.gguf")
            convert(llama, checkpoint, out / name / f"{projector}.gguf", "--mmproj")
        if len(sys.argv) > 3:
            files = ["-m", str(out / name / f"{name}.gguf"), "-mm", str(out / name / f"{projector}.gguf")]
            sounds = {"cloned": ["--tts-speaker-file", str(out / "sample.wav")]} | ({"reference": []} if make is qwen else {})
            for target, extra in sounds.items():
                subprocess.run([sys.argv[3], *files, *REFERENCE, *extra, "-o", str(out / name / f"{target}.wav")], check=True)


main()
