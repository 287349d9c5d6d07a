"""Qwen2.5-Omni's token2wav with the published widths and random weights, f32 as published, and two voices.

    nice -n 10 python Benchmarks/token2wav/make_checkpoint.py FOLDER
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import Qwen2_5OmniToken2WavConfig, Qwen2_5OmniToken2WavModel


@torch.no_grad()
def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    config = Qwen2_5OmniToken2WavConfig()
    model = Qwen2_5OmniToken2WavModel(config)
    generator = torch.Generator().manual_seed(1)
    for name, parameter in model.named_parameters():
        if name.endswith(("alpha", "beta")):
            parameter.normal_(0, 0.3, generator=generator)
        elif parameter.ndim == 1:
            parameter.normal_(0, 0.02, generator=generator)
        else:
            fan = parameter[0].numel() if ".ups." not in name else parameter.shape[0] * 2
            parameter.normal_(0, fan ** -0.5, generator=generator)
    state = {"token2wav." + name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    parts = {"dit_config": config.dit_config.to_dict(), "bigvgan_config": config.bigvgan_config.to_dict()}
    (folder / "config.json").write_text(json.dumps({"token2wav_config": parts}, default=str))
    voices = {name: {"cond": torch.randn([1, 192], generator=generator), "ref_mel": torch.randn([1, 400, 80], generator=generator) * 2.4 - 4, "bos_token": token}
              for name, token in {"Chelsie": 151872, "Ethan": 151870}.items()}
    torch.save(voices, folder / "spk_dict.pt")
    print(sum(tensor.numel() for tensor in state.values()), "values")


if __name__ == "__main__":
    main()
