"""Records what transformers' thinker computes for texts, pictures, sounds and videos: Tests/Fixtures/omni/thinker.

    VENV/bin/python Tools/omni/thinker_goldens.py Tests/Fixtures/omni/qwen2.5-omni Tests/Fixtures/omni/thinker

VENV as in make_checkpoint.py, with pillow==11.3.0, soundfile and av. Pictures and spectra are made by transformers' own preprocessors (the
image processor is the one on Pillow, whose version 13 rounds otherwise: a fourteenth of all bytes differ by one or two); a video is given
as its frames, which have 128 to 768 tokens as in qwen_vl_utils.
"""

import base64
import json
import sys
from pathlib import Path

import av
import numpy as np
import soundfile
import torch
from PIL import Image
from tokenizers import Tokenizer
from transformers import Qwen2_5OmniForConditionalGeneration, Qwen2VLImageProcessor, WhisperFeatureExtractor

SOURCE, OUT = Path(sys.argv[1]), Path(sys.argv[2])
# Width and height: as it is; smaller than any picture may be; sides whose half patches are rounded to even; several windows; a strip.
PICTURES = {"even": (112, 84), "small": (40, 30), "halves": (70, 126), "windows": (300, 170), "strip": (500, 29)}
# Samples: two pieces and a half, one that ends an odd number of frames into a piece, one shorter than a frame's window.
SOUNDS = {"long": 85333, "odd": 32000 + 160 * 7 - 31, "short": 900}
FRAMES = (56, 84)

own = Tokenizer.from_file(str(SOURCE / "tokenizer.json"))
settings = json.loads((SOURCE / "config.json").read_text())["thinker_config"]
model = Qwen2_5OmniForConditionalGeneration.from_pretrained(SOURCE, dtype=torch.float32).thinker.eval()
processor = json.loads((SOURCE / "preprocessor_config.json").read_text())
images = Qwen2VLImageProcessor(**{key: processor[key] for key in ["min_pixels", "max_pixels", "patch_size", "temporal_patch_size", "merge_size", "image_mean", "image_std"]})
sounds = WhisperFeatureExtractor(**{key: processor[key] for key in ["feature_size", "sampling_rate", "hop_length", "chunk_length", "n_fft", "padding_value", "dither", "return_attention_mask"]})
random = np.random.default_rng(11)


def picture(width, height, phase=0.0):
    y, x = np.mgrid[0:height, 0:width]
    planes = [127 + 90 * np.sin(x / (5 + 3 * colour) + phase) * np.cos(y / (7 - colour) + colour) + 30 * ((x // 9 + y // 11) % 2) for colour in range(3)]
    return Image.fromarray(np.stack(planes, -1).clip(0, 255).astype(np.uint8))


def sound(count):
    time = np.arange(count) / 16000
    wave = 0.3 * np.sin(2 * np.pi * 220 * time * (1 + 0.2 * time)) + 0.2 * np.sin(2 * np.pi * 1900 * time) * (time % 0.5 < 0.2) + 0.01 * random.standard_normal(count)
    return (wave * 32767).round().astype(np.int16)


def clip(frames, path):
    """The frames at two a second, for tests that send a file."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=2)
        stream.width, stream.height, stream.pix_fmt = *FRAMES, "yuv420p"
        for each in frames:
            file.mux(stream.encode(av.VideoFrame.from_image(each)))
        file.mux(stream.encode())


def packed(array):
    return base64.b64encode(np.ascontiguousarray(array, np.float32).tobytes()).decode()


def ids(text):
    return own.encode(text, add_special_tokens=False).ids


def spread(name, count):
    start, end = ("<|audio_bos|>", "<|audio_eos|>") if name == "<|AUDIO|>" else ("<|vision_bos|>", "<|vision_eos|>")
    return ids(start) + ids(name) * count + ids(end)


def run(parts):
    """Texts, and media as (kind, value); the logits of the text behind the last medium."""
    tokens, inputs, encoded = [], {"pixel_values": [], "image_grid_thw": [], "input_features": [], "feature_attention_mask": [], "pixel_values_videos": [], "video_grid_thw": [], "seconds": []}, {}
    last = 0
    for part in parts:
        if isinstance(part, str):
            last = len(tokens)
            tokens += ids(part)
            continue
        kind, value = part
        if kind == "image":
            made = images(value, return_tensors="pt")
            grid = made["image_grid_thw"]
            inputs["pixel_values"].append(made["pixel_values"])
            inputs["image_grid_thw"].append(grid)
            tokens += spread("<|IMAGE|>", int(grid.prod()) // 4)
        elif kind == "audio":
            made = sounds(value.astype(np.float32) / 32768, sampling_rate=16000, return_tensors="pt", padding="max_length", return_attention_mask=True)
            mask = made["attention_mask"]
            inputs["input_features"].append(made["input_features"])
            inputs["feature_attention_mask"].append(mask)
            tokens += spread("<|AUDIO|>", int(((mask.sum() - 1) // 2 + 1 - 2) // 2 + 1))
        else:
            # Two frames a second, and two of them a patch.
            patches = [images._preprocess([value[n], value[n + 1]], do_resize=True, resample=images.resample, do_rescale=True, rescale_factor=1 / 255, do_normalize=True, image_mean=images.image_mean, image_std=images.image_std, patch_size=14,
                                          temporal_patch_size=2, merge_size=2, size={"shortest_edge": 128 * 784, "longest_edge": 768 * 784}, do_convert_rgb=True) for n in range(0, len(value), 2)]
            grid = torch.tensor([[len(patches), *patches[0][1][1:]]])
            inputs["pixel_values_videos"].append(torch.from_numpy(np.concatenate([each[0] for each in patches])))
            inputs["video_grid_thw"].append(grid)
            inputs["seconds"].append(1.0)
            tokens += spread("<|VIDEO|>", int(grid.prod()) // 4)
    given = {key: torch.cat(value) for key, value in inputs.items() if value and key != "seconds"}
    if inputs["seconds"]:
        given["video_second_per_grid"] = torch.tensor(inputs["seconds"])
    with torch.no_grad():
        tensor = torch.tensor([tokens])
        out = model(input_ids=tensor, attention_mask=torch.ones_like(tensor), output_hidden_states=True, **given)
        if "pixel_values" in given:
            encoded["image"] = model.get_image_features(given["pixel_values"], given["image_grid_thw"])
        if "pixel_values_videos" in given:
            encoded["video"] = model.get_video_features(given["pixel_values_videos"], given["video_grid_thw"])
        if "input_features" in given:
            encoded["audio"] = model.get_audio_features(given["input_features"], feature_attention_mask=given["feature_attention_mask"])
        greedy = []
        past = tokens
        model.rope_deltas = None
        for _ in range(8):
            tensor = torch.tensor([past])
            step = model(input_ids=tensor, attention_mask=torch.ones_like(tensor), **given).logits[0, -1]
            greedy.append(int(step.argmax()))
            past = past + [greedy[-1]]
    logits = out.logits[0]
    rows = {str(len(tokens) - place): packed(logits[place]) for place in [last, len(tokens) - 1]}
    state = out.hidden_states[-1][0, -1] if out.hidden_states else None
    return {"tokens": len(tokens), "rows": rows, "state": packed(state), "greedy": greedy,
            "encoded": {key: packed(torch.cat(list(value)) if isinstance(value, (list, tuple)) else value) for key, value in encoded.items()}}


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    pictures = {name: picture(*size) for name, size in PICTURES.items()}
    waves = {name: sound(count) for name, count in SOUNDS.items()}
    for name, each in pictures.items():
        each.save(OUT / f"{name}.png", optimize=True)
    for name, each in waves.items():
        soundfile.write(OUT / f"{name}.flac", each, 16000, subtype="PCM_16")
    frames = [picture(FRAMES[0], FRAMES[1], phase=n * 0.7) for n in range(6)]
    for number, frame in enumerate(frames):
        frame.save(OUT / f"frame{number}.png", optimize=True)
    clip(frames, OUT / "clip.mp4")
    head, tail = "<|im_start|>user\nLook and listen: ", " What is it?<|im_end|>\n<|im_start|>assistant\n"
    cases = {"text": [head, tail]}
    cases |= {f"picture {name}": [head, ("image", each), tail] for name, each in pictures.items()}
    cases |= {f"sound {name}": [head, ("audio", each), tail] for name, each in waves.items()}
    cases["both"] = [head, ("image", pictures["windows"]), " and ", ("audio", waves["long"]), tail]
    cases["other way"] = [head, ("audio", waves["odd"]), ("image", pictures["even"]), tail]
    cases["video"] = [head, ("video", frames), tail]
    golden = {}
    for name, parts in cases.items():
        golden[name] = {"parts": [part if isinstance(part, str) else {part[0]: next(key for key, value in {**pictures, **waves, "frames": frames}.items() if value is part[1])} for part in parts], **run(parts)}
        print(name, golden[name]["tokens"], golden[name]["greedy"])
    (OUT / "golden.json").write_text(json.dumps(golden, indent=0) + "\n")


if __name__ == "__main__":
    main()
