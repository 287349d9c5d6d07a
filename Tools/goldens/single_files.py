"""Writes the tiny checkpoints of Tests/Fixtures as people have such models: each network in a file of its own.

    python -m venv VENV && VENV/bin/pip install torch==2.13.0+cpu diffusers==0.42.1 gguf safetensors
    VENV/bin/python Tools/goldens/single_files.py Tests/Fixtures OUT

Names are the publishers', proved by diffusers: its own converters of single files must give back the tensors that the folder has. GGUFs are
written by the `gguf` package (llama.cpp's) with ComfyUI-GGUF's rules, eight-bit files as ComfyUI writes them. OUT gets a folder for each model.
The files of OUT/z-image stand in Tests/Fixtures/single-files.
"""
import json
import sys
from pathlib import Path

import gguf
import numpy
import torch
from diffusers.loaders import single_file_utils as diffusers
from safetensors.torch import load_file, save_file

Q8, F32 = gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.F32


def component(folder):
    tensors = {}
    for file in sorted(folder.glob("*.safetensors")):
        tensors |= load_file(file)
    return tensors


def replaced(name, pairs):
    for theirs, own in pairs:
        name = name.replace(theirs, own)
    return name


def fused(tensors, parts, whole):
    for name in [name for name in tensors if name.endswith(f".{parts[0]}.weight")]:
        stem = name.removesuffix(f"{parts[0]}.weight")
        tensors[f"{stem}{whole}.weight"] = torch.cat([tensors.pop(f"{stem}{part}.weight") for part in parts])
    return tensors


def same(converted, tensors):
    assert converted.keys() == tensors.keys(), sorted(converted.keys() ^ tensors.keys())[:4]
    assert all(torch.equal(converted[name].reshape(tensors[name].shape), tensors[name]) for name in tensors)


def z_image(tensors):
    own = fused(dict(tensors), ["to_q", "to_k", "to_v"], "qkv")
    pairs = [("all_x_embedder.2-1.", "x_embedder."), ("all_final_layer.2-1.", "final_layer."), (".to_out.0.", ".out."), (".norm_q.", ".q_norm."), (".norm_k.", ".k_norm.")]
    own = {replaced(name, pairs): tensor for name, tensor in own.items()}
    own["norm_final.weight"] = torch.ones(len(own["cap_embedder.0.weight"]))
    same(diffusers.convert_z_image_transformer_checkpoint_to_diffusers(dict(own)), tensors)
    return own


def flux2(tensors):
    own = fused(fused(dict(tensors), ["to_q", "to_k", "to_v"], "img_qkv"), ["add_q_proj", "add_k_proj", "add_v_proj"], "txt_qkv")
    scale, shift = own.pop("norm_out.linear.weight").chunk(2)
    own["final_layer.adaLN_modulation.1.weight"] = torch.cat([shift, scale])
    pairs = [
        ("single_transformer_blocks.", "single_blocks."), ("transformer_blocks.", "double_blocks."), ("attn.img_qkv.", "img_attn.qkv."), ("attn.txt_qkv.", "txt_attn.qkv."),
        ("attn.norm_added_q.weight", "txt_attn.norm.query_norm.scale"), ("attn.norm_added_k.weight", "txt_attn.norm.key_norm.scale"), ("attn.to_out.0.", "img_attn.proj."),
        ("attn.to_add_out.", "txt_attn.proj."), ("ff_context.linear_in.", "txt_mlp.0."), ("ff_context.linear_out.", "txt_mlp.2."), ("ff.linear_in.", "img_mlp.0."),
        ("ff.linear_out.", "img_mlp.2."), ("attn.to_qkv_mlp_proj.", "linear1."), ("attn.to_out.", "linear2."), ("x_embedder.", "img_in."), ("context_embedder.", "txt_in."),
        ("time_guidance_embed.timestep_embedder.linear_1.", "time_in.in_layer."), ("time_guidance_embed.timestep_embedder.linear_2.", "time_in.out_layer."),
        ("modulation.linear.", "modulation.lin."), ("modulation_img.linear.", "modulation_img.lin."), ("modulation_txt.linear.", "modulation_txt.lin."), ("proj_out.", "final_layer.linear."),
    ]
    norms = lambda name: [("attn.norm_q.weight", "norm.query_norm.scale"), ("attn.norm_k.weight", "norm.key_norm.scale")] if name.startswith("single") else [
        ("attn.norm_q.weight", "img_attn.norm.query_norm.scale"), ("attn.norm_k.weight", "img_attn.norm.key_norm.scale")]
    own = {replaced(name, norms(name) + pairs): tensor for name, tensor in own.items()}
    same(diffusers.convert_flux2_transformer_checkpoint_to_diffusers(dict(own)), tensors)
    return own


def wan(tensors):
    pairs = [
        ("condition_embedder.time_embedder.linear_1", "time_embedding.0"), ("condition_embedder.time_embedder.linear_2", "time_embedding.2"),
        ("condition_embedder.text_embedder.linear_1", "text_embedding.0"), ("condition_embedder.text_embedder.linear_2", "text_embedding.2"),
        ("condition_embedder.time_proj", "time_projection.1"), ("proj_out", "head.head"), ("scale_shift_table", "modulation"), (".attn1.", ".self_attn."),
        (".attn2.", ".cross_attn."), (".to_q.", ".q."), (".to_k.", ".k."), (".to_v.", ".v."), (".to_out.0.", ".o."), (".ffn.net.0.proj.", ".ffn.0."),
        (".ffn.net.2.", ".ffn.2."), (".norm2.", ".norm3."),
    ]
    own = {"head.modulation" if name == "scale_shift_table" else replaced(name, pairs): tensor for name, tensor in tensors.items()}
    same(diffusers.convert_wan_transformer_to_diffusers(dict(own)), tensors)
    return own


def kl(tensors, stages):
    pairs = [
        (".mid_block.resnets.0.", ".mid.block_1."), (".mid_block.resnets.1.", ".mid.block_2."), (".mid_block.attentions.0.group_norm.", ".mid.attn_1.norm."),
        (".mid_block.attentions.0.to_q.", ".mid.attn_1.q."), (".mid_block.attentions.0.to_k.", ".mid.attn_1.k."), (".mid_block.attentions.0.to_v.", ".mid.attn_1.v."),
        (".mid_block.attentions.0.to_out.0.", ".mid.attn_1.proj_out."), (".down_blocks.", ".down."), (".resnets.", ".block."), (".conv_shortcut.", ".nin_shortcut."),
        (".downsamplers.0.", ".downsample."), (".upsamplers.0.", ".upsample."), (".conv_norm_out.", ".norm_out."),
    ]
    own = {}
    for name, tensor in tensors.items():
        target = replaced(name, pairs)
        if target.startswith("decoder.up_blocks."):
            stage, rest = target.removeprefix("decoder.up_blocks.").split(".", 1)
            target = f"decoder.up.{stages - 1 - int(stage)}.{rest}"
        own[target] = tensor[:, :, None, None] if ".attn_1." in target and tensor.ndim == 2 else tensor
    converted = diffusers.convert_ldm_vae_checkpoint(dict(own), {"down_block_types": [""] * stages, "up_block_types": [""] * stages})
    same(converted, tensors)
    return own


LLAMA = [
    ("model.embed_tokens.", "token_embd."), ("model.layers.", "blk."), (".input_layernorm.", ".attn_norm."), (".post_attention_layernorm.", ".ffn_norm."),
    (".self_attn.q_norm.", ".attn_q_norm."), (".self_attn.k_norm.", ".attn_k_norm."), (".self_attn.q_proj.", ".attn_q."), (".self_attn.k_proj.", ".attn_k."),
    (".self_attn.v_proj.", ".attn_v."), (".self_attn.o_proj.", ".attn_output."), (".mlp.gate_proj.", ".ffn_gate."), (".mlp.up_proj.", ".ffn_up."),
    (".mlp.down_proj.", ".ffn_down."), ("model.norm.", "output_norm."), ("lm_head.", "output."),
]


def add(writer, tensors):
    """ComfyUI-GGUF's rules: vectors and small tensors in f32, kernels over more than four axes as they are, matrices in blocks."""
    for name, tensor in tensors.items():
        data = tensor.float().numpy()
        blocks = data.ndim == 2 and data.size > 1024 and data.shape[-1] % 32 == 0
        quantized = gguf.quants.quantize(data, Q8) if blocks else data
        writer.add_tensor(name, quantized, raw_dtype=Q8 if blocks else F32)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def transformer_gguf(path, tensors, architecture):
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    add(writer, tensors)
    finish(writer)


def llama_gguf(path, tensors, config, folder):
    config = config.get("text_config", config)
    writer = gguf.GGUFWriter(path, "qwen3")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokens = {place: (text, gguf.TokenType.NORMAL) for text, place in tokenizer["model"]["vocab"].items()}
    for added in tokenizer["added_tokens"]:
        tokens[added["id"]] = (added["content"], gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([tokens[place][0] for place in sorted(tokens)])
    writer.add_token_types([tokens[place][1] for place in sorted(tokens)])
    writer.add_token_merges([" ".join(pair) for pair in tokenizer["model"]["merges"]])
    writer.add_chat_template((folder / "chat_template.jinja").read_text())
    add(writer, {replaced(name, LLAMA): tensor for name, tensor in tensors.items()})
    finish(writer)


def scaled(tensors):
    """fp8 as ComfyUI stores it: a factor beside each matrix, and its form in the header."""
    own, layers = {}, {}
    for name, tensor in tensors.items():
        if tensor.ndim != 2 or not name.endswith(".weight"):
            own[name] = tensor
            continue
        layer = name.removesuffix(".weight")
        scale = tensor.abs().max() / torch.finfo(torch.float8_e4m3fn).max
        own[name] = (tensor / scale).to(torch.float8_e4m3fn)
        own[f"{layer}.weight_scale"] = scale
        layers[layer] = {"format": "float8_e4m3fn"}
    return own, {"_quantization_metadata": json.dumps({"format_version": "1.0", "layers": layers})}


def settings(path, source, keys, index):
    """What no shape tells of a checkpoint that is smaller than any published one."""
    config = {"scheduler": json.loads((source / "scheduler/scheduler_config.json").read_text()), "model_index": index}
    for name, wanted in keys.items():
        said = json.loads((source / name / "config.json").read_text())
        config[name] = {key: said[key] for key in wanted}
    path.write_text(json.dumps({"config": config}))


def main():
    fixtures, out = Path(sys.argv[1]), Path(sys.argv[2])
    torch.manual_seed(0)
    source, target = fixtures / "zimage/small", out / "z-image"
    target.mkdir(parents=True, exist_ok=True)
    own, text = z_image(component(source / "transformer")), component(source / "text_encoder")
    transformer_gguf(target / "z_image_turbo-Q8_0.gguf", own, "lumina2")
    llama_gguf(target / "Qwen3-4B-Q8_0.gguf", text, json.loads((source / "text_encoder/config.json").read_text()), source / "tokenizer")
    save_file(kl(component(source / "vae"), 2), target / "ae.safetensors")
    settings(target / "omni.json", source, {"transformer": ["axes_dims", "axes_lens"], "vae": ["norm_num_groups", "sample_size"]}, {})

    comfy = out / "comfy"
    for folder in ["diffusion_models", "text_encoders", "vae"]:
        (comfy / folder).mkdir(parents=True, exist_ok=True)
    for name, tensors in [("diffusion_models/z_image_turbo_fp8_scaled", own), ("text_encoders/qwen_3_4b_fp8_scaled", text)]:
        eight, metadata = scaled({name: tensor.contiguous() for name, tensor in tensors.items()})
        save_file(eight, comfy / f"{name}.safetensors", metadata)
    (comfy / "vae/ae.safetensors").write_bytes((target / "ae.safetensors").read_bytes())
    (comfy / "text_encoders/tokenizer.json").write_bytes((source / "tokenizer/tokenizer.json").read_bytes())
    (comfy / "diffusion_models/omni.json").write_bytes((target / "omni.json").read_bytes())

    # Names alone: what the tests write must be what these prove.
    flux2(component(fixtures / "flux2-klein/small/transformer"))
    for name in ["t2v", "ti2v", "a14b"]:
        folder = out / f"wan-{name}"
        folder.mkdir(parents=True, exist_ok=True)
        for part, noise in [("transformer", "high_noise"), ("transformer_2", "low_noise")]:
            if (fixtures / "wan" / name / part).exists():
                transformer_gguf(folder / f"wan_{noise}-Q8_0.gguf", wan(component(fixtures / "wan" / name / part)), "wan")


main()
