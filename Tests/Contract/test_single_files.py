"""Pictures from files as people have them: a transformer, a text encoder and a VAE, each by itself. The files are those that
Tools/goldens/single_files.py made of the tiny Z-Image checkpoint with llama.cpp's `gguf` package, in blocks of eight bits."""
import base64
import shutil
import subprocess

import pytest

import pictures
from drawing import FIXTURES, PROMPT
from harness import ROOT, Server, binary

FILES = ROOT / "Tests/Fixtures/single-files"
TRANSFORMER, ENCODER, VAE = "z_image_turbo-Q8_0.gguf", "Qwen3-4B-Q8_0.gguf", "ae.safetensors"


def draw(server, **fields):
    width, height, reference = pictures.golden(FIXTURES / "small.goldens.safetensors", "text.image")
    body = {"prompt": PROMPT, "size": f"{width}x{height}", "seed": 42, "num_inference_steps": 4, "guidance_scale": 0} | fields
    reply = server.post("/v1/images/generations", body)
    assert reply.status == 200, reply
    drawn = pictures.decode(base64.b64decode(reply.json["data"][0]["b64_json"]))
    return drawn[2], pictures.psnr(drawn[2], reference)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("single"), "--allowed-lora-path", FIXTURES, models=[FILES]) as server:
        yield server


def test_a_folder_of_files_draws_the_references_picture(served):
    assert draw(served)[1] >= 25
    card = served.get("/v1/models").json["data"][0]
    assert card["root"].endswith(TRANSFORMER) and card["id"] == "single-files"


def test_flags_name_files_that_lie_apart(served, tmp_path):
    for place, name in [("a", TRANSFORMER), ("b", ENCODER), ("c", VAE)]:
        (tmp_path / place).mkdir()
        shutil.copy(FILES / name, tmp_path / place / name)
    shutil.copy(FILES / "omni.json", tmp_path / "a/omni.json")
    adapter = FIXTURES / "adapter.safetensors"
    flags = ["--diffusion-model", tmp_path / "a" / TRANSFORMER, "--text-encoder", tmp_path / "b" / ENCODER, "--vae", tmp_path / "c" / VAE]
    with Server(tmp_path / "server", *flags, "--lora", f"{adapter}:0.5", models=[]) as server:
        changed, _ = draw(server)
        told = server.get("/v1/capabilities").json["data"][0]["image"]["loras"]
    assert told == ["adapter.safetensors"]
    # What every request has is what a request may ask for, alone or in parts.
    lora = {"name": "a", "path": "adapter.safetensors", "scale": 0.5}
    assert changed == draw(served, lora=lora)[0] != draw(served)[0]
    parts = draw(served, lora=[lora | {"scale": 0.25}, lora | {"scale": 0.25}])[0]
    assert pictures.psnr(parts, changed) >= 50
    assert {"adapter.safetensors", "adapter-flat.safetensors"} <= set(served.get("/v1/capabilities").json["data"][0]["image"]["loras"])


def test_what_is_missing_is_listed_before_anything_loads(tmp_path):
    shutil.copy(FILES / TRANSFORMER, tmp_path / TRANSFORMER)
    shutil.copy(FILES / "omni.json", tmp_path / "omni.json")
    ended = subprocess.run(
        [binary(), "serve", tmp_path, "--port", "0", "--data-dir", tmp_path / "data"], capture_output=True, text=True, timeout=60,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)})
    assert ended.returncode != 0
    for words in ["a text encoder (Qwen3, 48 features)", "a VAE (AutoencoderKL, 16 latent channels)",
                  "omni models pull Comfy-Org/z_image_turbo:split_files/vae/ae.safetensors", "--text-encoder"]:
        assert words in ended.stderr, ended.stderr
