"""Makes tiny random checkpoints of the Qwen-VL family and records what llama.cpp's converter and transformers make of them.

    VENV/bin/python Tools/omni/vision_goldens.py LLAMA_CPP Tests/Fixtures/omni/thinker Tests/Fixtures/vision

VENV as in thinker_goldens.py, whose pictures are looked at. A checkpoint is a folder as published: names of tensors, config.json.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

_, LLAMA, PICTURES, OUT = sys.argv
sys.argv[2:] = [tempfile.mkdtemp()]
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "conversion"))
import goldens  # noqa: E402
import make_checkpoint  # noqa: E402
import numpy as np  # noqa: E402
import tokenizer_families  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402
from transformers import AutoConfig, AutoModelForImageTextToText, Qwen2VLImageProcessor  # noqa: E402

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"]
ID = {text: 600 + place for place, text in enumerate(SPECIAL)}
IDS = {"vision_start_token_id": 603, "vision_end_token_id": 604, "vision_token_id": 605, "image_token_id": 606, "video_token_id": 607}
TEXT = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_act": "silu", "rms_norm_eps": 1e-6, "max_position_embeddings": 2048,
        "vocab_size": 640, "rope_theta": 1000000.0, "bos_token_id": 600, "eos_token_id": 602, "use_cache": True, "attention_dropout": 0.0, "initializer_range": 0.02, "torch_dtype": "bfloat16"}
MROPE = {"type": "mrope", "mrope_section": [2, 3, 3]}
CONFIGS = {
    "qwen2-vl": {"architectures": ["Qwen2VLForConditionalGeneration"], "model_type": "qwen2_vl", **TEXT, **IDS, "rope_scaling": MROPE, "tie_word_embeddings": True, "use_sliding_window": False, "sliding_window": 2048,
                 "vision_config": {"depth": 3, "embed_dim": 32, "mlp_ratio": 2, "num_heads": 2, "in_chans": 3, "hidden_size": 64, "patch_size": 14, "spatial_merge_size": 2, "spatial_patch_size": 14, "temporal_patch_size": 2}},
    "qwen2.5-vl": {"architectures": ["Qwen2_5_VLForConditionalGeneration"], "model_type": "qwen2_5_vl", **TEXT, **IDS, "rope_scaling": MROPE, "tie_word_embeddings": False, "use_sliding_window": False, "sliding_window": 2048,
                   "vision_config": {"depth": 4, "hidden_act": "silu", "hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "in_chans": 3, "out_hidden_size": 64, "patch_size": 14, "spatial_merge_size": 2,
                                     "spatial_patch_size": 14, "window_size": 112, "fullatt_block_indexes": [1, 3], "tokens_per_second": 2, "temporal_patch_size": 2}},
    "qwen3-vl": {"architectures": ["Qwen3VLForConditionalGeneration"], "model_type": "qwen3_vl", **{key: value for key, value in IDS.items() if key != "vision_token_id"}, "tie_word_embeddings": True,
                 "text_config": {**TEXT, "model_type": "qwen3_vl_text", "head_dim": 16, "attention_bias": False, "dtype": "bfloat16", "tie_word_embeddings": True,
                                 "rope_scaling": {"mrope_interleaved": True, "mrope_section": [4, 2, 2], "rope_type": "default"}},
                 "vision_config": {"model_type": "qwen3_vl", "depth": 4, "hidden_act": "gelu_pytorch_tanh", "hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "in_channels": 3, "out_hidden_size": 64, "patch_size": 16,
                                   "spatial_merge_size": 2, "temporal_patch_size": 2, "num_position_embeddings": 64, "deepstack_visual_indexes": [0, 2]}},
}
HEAD, TAIL = "<|im_start|>user\nLook: ", " What is it?<|im_end|>\n<|im_start|>assistant\n"


def published(name, tensors):
    if name == "qwen3-vl":
        return {key: value for key, value in tensors.items() if key != "lm_head.weight"}
    names = {key: key.replace("model.language_model.", "model.").replace("model.visual.", "visual.") for key in tensors}
    return {new: tensors[key] for key, new in names.items() if not (new == "lm_head.weight" and CONFIGS[name]["tie_word_embeddings"])}


def make(name, folder):
    folder.mkdir(parents=True, exist_ok=True)
    config = {"torch_dtype": "bfloat16", "transformers_version": "4.57.0", **CONFIGS[name]}
    make_checkpoint.write(folder / "config.json", config)
    size = {"size": {"shortest_edge": 65536, "longest_edge": 16777216}} if name == "qwen3-vl" else {"min_pixels": 3136, "max_pixels": 12845056}
    mean, std = ([0.5] * 3, [0.5] * 3) if name == "qwen3-vl" else ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711])
    make_checkpoint.write(folder / "preprocessor_config.json", {**size, "patch_size": config["vision_config"]["patch_size"], "temporal_patch_size": 2, "merge_size": 2, "image_mean": mean, "image_std": std})
    own = tokenizer_families.byte_level(tokenizer_families.whole(tokenizer_families.QWEN2), tokenizer_families.normalizers.NFC(), size=600)
    own.post_processor = tokenizer_families.processors.ByteLevel(add_prefix_space=False, use_regex=False, trim_offsets=False)
    tokenizer_families.write(own, folder, {"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "bos_token": None, "unk_token": None, "add_bos_token": False, "add_prefix_space": False},
                             SPECIAL, template=tokenizer_families.CHATML)
    model = AutoModelForImageTextToText.from_config(AutoConfig.from_pretrained(folder), attn_implementation="eager", dtype=torch.float32).eval()
    make_checkpoint.randomize(model, 7)
    model.to(torch.bfloat16)
    tensors = {key: value.contiguous().clone() for key, value in model.state_dict().items()}
    save_file(published(name, tensors), folder / "model.safetensors", metadata={"format": "pt"})
    fresh = AutoModelForImageTextToText.from_config(AutoConfig.from_pretrained(folder), attn_implementation="eager", dtype=torch.float32).eval()
    fresh.load_state_dict({key: value.to(torch.float32) for key, value in tensors.items()})
    return fresh.to(torch.float32)


def look(model, folder):
    processor = json.loads((folder / "preprocessor_config.json").read_text())
    size = processor.pop("size", None)
    if size:
        # The processor on Pillow knows the limits by their older names only.
        processor |= {"min_pixels": size["shortest_edge"], "max_pixels": size["longest_edge"]}
    images = Qwen2VLImageProcessor(**processor)
    own = Tokenizer.from_file(str(folder / "tokenizer.json"))
    golden = {}
    for picture in ["windows", "even"]:
        made = images(Image.open(f"{PICTURES}/{picture}.png").convert("RGB"), return_tensors="pt")
        count = int(made["image_grid_thw"].prod()) // 4
        head, tail = own.encode(HEAD).ids, own.encode(TAIL).ids
        ids = torch.tensor([head + [ID["<|vision_start|>"]] + [ID["<|image_pad|>"]] * count + [ID["<|vision_end|>"]] + tail])
        with torch.no_grad():
            logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), **made).logits[0]
        golden[picture] = {"tokens": ids.shape[1], "rows": {str(back): goldens.base64.b64encode(logits[-back].float().numpy().tobytes()).decode() for back in [len(tail), 1]}}
    if "qwen3" not in str(folder):
        frames = [Image.open(f"{PICTURES}/frame{number}.png").convert("RGB") for number in range(6)]
        made = [images._preprocess(frames[n:n + 2], do_resize=True, resample=images.resample, do_rescale=True, rescale_factor=1 / 255, do_normalize=True, image_mean=images.image_mean, image_std=images.image_std, patch_size=14,
                                   temporal_patch_size=2, merge_size=2, size={"shortest_edge": 128 * 784, "longest_edge": 768 * 784}, do_convert_rgb=True) for n in [0, 2, 4]]
        grid = torch.tensor([[3, *made[0][1][1:]]])
        ids = torch.tensor([head + [ID["<|vision_start|>"]] + [ID["<|video_pad|>"]] * (int(grid.prod()) // 4) + [ID["<|vision_end|>"]] + tail])
        seconds = {"second_per_grid_ts": torch.tensor([1.0])} if "2.5" in str(folder) else {}
        with torch.no_grad():
            logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values_videos=torch.from_numpy(np.concatenate([each[0] for each in made])), video_grid_thw=grid, **seconds).logits[0]
        golden["video"] = {"tokens": ids.shape[1], "rows": {str(back): goldens.base64.b64encode(logits[-back].float().numpy().tobytes()).decode() for back in [len(tail), 1]}}
    return golden


for name in CONFIGS:
    folder = Path(OUT) / name
    model = make(name, folder)
    golden = {"head": HEAD, "tail": TAIL, "pictures": look(model, folder)}
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / "tiny"
        whole.symlink_to(folder.resolve())
        for part, flags in [("model", []), ("encoders", ["--mmproj"])]:
            goldens.convert(whole, Path(scratch) / f"{part}.gguf", "qwen2", "bf16", *flags)
            golden[part] = goldens.contents(Path(scratch) / f"{part}.gguf")
    (folder / "golden.json").write_text(json.dumps(golden, indent=0) + "\n")
    print(name, {key: value["tokens"] for key, value in golden["pictures"].items()})
