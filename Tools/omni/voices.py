"""`spk_dict.pt` of a Qwen2.5-Omni as safetensors, which omni reads as well: NAME.cond, NAME.ref_mel and NAME.bos_token of each voice.

    VENV/bin/python Tools/omni/voices.py FOLDER/spk_dict.pt FOLDER/spk_dict.safetensors
"""

import sys

import torch
from safetensors.torch import save_file

voices = torch.load(sys.argv[1], weights_only=True, map_location="cpu")
tensors = {f"{name}.{key}": torch.as_tensor(value).contiguous().clone() for name, voice in voices.items() for key, value in voice.items()}
save_file({name: tensor.reshape(1) if tensor.ndim == 0 else tensor for name, tensor in tensors.items()}, sys.argv[2])
