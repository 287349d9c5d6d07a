"""Tiny checkpoints, one for each architecture: the config.json as it is published, and random weights."""

import json

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification

BASE = {"hidden_size": 32, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_act": "silu", "rms_norm_eps": 1e-5,
        "max_position_embeddings": 512, "initializer_range": 0.02, "use_cache": True, "torch_dtype": "bfloat16", "transformers_version": "4.46.0"}


def config(architecture, model_type, **more):
    return {"architectures": [architecture], "model_type": model_type, **BASE, **more}


def bert(architecture, **more):
    """With its weights' type: encoders are published in f32."""
    return {"architectures": [architecture], "model_type": "bert", "hidden_size": 32, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "hidden_act": "gelu", "layer_norm_eps": 1e-12, "max_position_embeddings": 64,
            "type_vocab_size": 2, "vocab_size": 700, "pad_token_id": 0, "position_embedding_type": "absolute", "torch_dtype": "float32", **more}, torch.float32


# name: (tokenizer, config, type of the weights)
CHECKPOINTS = {
    "llama3": ("llama3", config(
        "LlamaForCausalLM", "llama", vocab_size=608, rope_theta=500000.0, bos_token_id=600, eos_token_id=[601, 604], tie_word_embeddings=True, head_dim=8, attention_bias=False, mlp_bias=False,
        rope_scaling={"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 128, "rope_type": "llama3"}), torch.bfloat16),
    "llama2": ("spm", config("LlamaForCausalLM", "llama", vocab_size=560, bos_token_id=1, eos_token_id=2, num_key_value_heads=4, tie_word_embeddings=False, rope_scaling=None, pretraining_tp=1, torch_dtype="float32"), torch.float32),
    "smollm2": ("smollm", config("LlamaForCausalLM", "llama", vocab_size=604, rope_theta=100000.0, bos_token_id=601, eos_token_id=602, pad_token_id=602, tie_word_embeddings=True, rope_scaling=None), torch.bfloat16),
    "mistral": ("tekken", config("MistralForCausalLM", "mistral", vocab_size=605, rope_theta=1000000.0, bos_token_id=601, eos_token_id=602, head_dim=16, sliding_window=None, tie_word_embeddings=False), torch.float16),
    "qwen2": ("qwen2", config("Qwen2ForCausalLM", "qwen2", vocab_size=640, rope_theta=1000000.0, bos_token_id=600, eos_token_id=602, rms_norm_eps=1e-6, sliding_window=512, use_sliding_window=False, max_window_layers=2, tie_word_embeddings=True), torch.bfloat16),
    "qwen3": ("qwen2", config("Qwen3ForCausalLM", "qwen3", vocab_size=640, rope_theta=1000000, bos_token_id=600, eos_token_id=602, rms_norm_eps=1e-6, head_dim=16, attention_bias=False, sliding_window=None, use_sliding_window=False, max_window_layers=2, rope_scaling=None, tie_word_embeddings=False), torch.bfloat16),
    "gemma3": ("gemma", {
        **config("Gemma3ForCausalLM", "gemma3_text", vocab_size=584, num_hidden_layers=7, num_attention_heads=2, num_key_value_heads=1, head_dim=16, query_pre_attn_scalar=16, rope_theta=1000000.0, rope_local_base_freq=10000,
                 rope_scaling=None, sliding_window=16, sliding_window_pattern=6, bos_token_id=2, eos_token_id=[1, 6], pad_token_id=0, attention_bias=False, attn_logit_softcapping=None, final_logit_softcapping=None, hidden_activation="gelu_pytorch_tanh"),
        "hidden_size": 48, "intermediate_size": 64}, torch.bfloat16),
    "phi3": ("spm", config("Phi3ForCausalLM", "phi3", vocab_size=576, bos_token_id=1, eos_token_id=2, pad_token_id=2, num_key_value_heads=4, original_max_position_embeddings=512, rope_theta=10000.0, rope_scaling=None, sliding_window=64, tie_word_embeddings=False), torch.bfloat16),
    "phi4-mini": ("gpt4o", config(
        "Phi3ForCausalLM", "phi3", vocab_size=604, bos_token_id=600, eos_token_id=600, pad_token_id=600, original_max_position_embeddings=256, rope_theta=10000.0, partial_rotary_factor=0.75, sliding_window=None, tie_word_embeddings=True,
        rope_scaling={"type": "longrope", "long_factor": [1, 2, 6], "short_factor": [1, 1.1, 1.4]}), torch.bfloat16),
    "smollm3": ("llama3", config("SmolLM3ForCausalLM", "smollm3", vocab_size=608, num_hidden_layers=4, rope_theta=5000000.0, bos_token_id=600, eos_token_id=604, pad_token_id=605, attention_bias=False, mlp_bias=False, no_rope_layer_interval=4,
                                 no_rope_layers=[1, 1, 1, 0], rope_scaling=None, sliding_window=None, use_sliding_window=False, tie_word_embeddings=True), torch.bfloat16),
    "granite": ("smollm", config("GraniteForCausalLM", "granite", vocab_size=604, rope_theta=10000.0, bos_token_id=600, eos_token_id=600, pad_token_id=600, attention_bias=False, mlp_bias=False, attention_multiplier=0.0625, embedding_multiplier=12.0,
                                 logits_scaling=8.0, residual_multiplier=0.22, rope_scaling=None, tie_word_embeddings=True), torch.bfloat16),
    "qwen3-moe": ("qwen2", config("Qwen3MoeForCausalLM", "qwen3_moe", vocab_size=640, rope_theta=1000000.0, bos_token_id=600, eos_token_id=602, rms_norm_eps=1e-6, head_dim=16, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=48, decoder_sparse_step=1,
                                   mlp_only_layers=[], norm_topk_prob=True, attention_bias=False, sliding_window=None, use_sliding_window=False, max_window_layers=2, rope_scaling=None, tie_word_embeddings=False), torch.bfloat16),
    "bert": ("wordpiece", *bert("BertModel")),
    "bert-reranker": ("wordpiece", *bert("BertForSequenceClassification", id2label={"0": "LABEL_0"}, label2id={"LABEL_0": 0})),
    "bert-classifier": ("wordpiece", *bert(
        "BertForSequenceClassification", id2label={"0": "negative", "1": "neutral", "2": "positive"}, label2id={"negative": 0, "neutral": 1, "positive": 2})),
    "xlmr-reranker": ("unigram", *bert(
        "XLMRobertaForSequenceClassification", model_type="xlm-roberta", layer_norm_eps=1e-5, max_position_embeddings=66, type_vocab_size=1, vocab_size=650,
        bos_token_id=0, eos_token_id=2, pad_token_id=1, id2label={"0": "LABEL_0"}, label2id={"LABEL_0": 0})),
    "qwen3-embedding": ("qwen2", config("Qwen3Model", "qwen3", vocab_size=640, rope_theta=1000000, bos_token_id=600, eos_token_id=600, rms_norm_eps=1e-6, head_dim=16, attention_bias=False, sliding_window=None, use_sliding_window=False, max_window_layers=2,
                                        rope_scaling=None, tie_word_embeddings=True), torch.bfloat16),
    "qwen3-reranker": ("qwen3-reranker", config("Qwen3ForCausalLM", "qwen3", vocab_size=640, rope_theta=1000000, bos_token_id=600, eos_token_id=602, rms_norm_eps=1e-6, head_dim=16, attention_bias=False, sliding_window=None, use_sliding_window=False,
                                                max_window_layers=2, rope_scaling=None, tie_word_embeddings=True), torch.bfloat16),
    "qwen3-reranker-untied": ("qwen3-reranker", config("Qwen3ForCausalLM", "qwen3", vocab_size=640, rope_theta=1000000, bos_token_id=600, eos_token_id=602, rms_norm_eps=1e-6, head_dim=16, attention_bias=False,
                                                       sliding_window=None, use_sliding_window=False, max_window_layers=2, rope_scaling=None, tie_word_embeddings=False), torch.bfloat16),
}
README = {"qwen3-reranker": "# Qwen3-Reranker-0.6B\n", "qwen3-reranker-untied": "# Qwen3-Reranker-8B\n"}
GENERATION = {
    "llama3": {"bos_token_id": 600, "do_sample": True, "eos_token_id": [601, 604], "temperature": 0.6, "top_p": 0.9},
    "qwen2": {"bos_token_id": 600, "do_sample": True, "eos_token_id": [602, 600], "repetition_penalty": 1.1, "temperature": 0.7, "top_k": 20, "top_p": 0.8},
    "gemma3": {"bos_token_id": 2, "do_sample": True, "eos_token_id": [1, 6], "pad_token_id": 0, "top_k": 64, "top_p": 0.95},
}
SENTENCE_TRANSFORMERS = {"bert": {"pooling_mode_cls_token": True}, "qwen3-embedding": {"pooling_mode_lasttoken": True}}
SHARDED = {"qwen3"}
# Networks whose head tells classes of a text or of a pair; a reranker has one class.
CLASSIFIERS = {"bert-reranker", "bert-classifier", "xlmr-reranker"}


def randomize(model, seed):
    """Weights at scales at which every layer matters: norms near 1, biases not 0."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in model.named_parameters():
        noise = torch.randn(value.shape, generator=generator)
        if value.dim() == 1 and "norm" in name.lower():
            # Gemma keeps what is to be added to 1.
            around = 0.0 if "gemma" in model.config.model_type else 1.0
            value.data = (noise * 0.2 + (0 if name.endswith("bias") else around)).to(value.dtype)
        elif value.dim() == 1:
            value.data = noise * 0.2
        elif "embed" in name:
            value.data = noise
        else:
            value.data = noise * 1.5 / value.shape[-1] ** 0.5


def make(name, folder):
    """Writes the folder without its tokenizer; returns the model in f32."""
    tokenizer, settings, dtype = CHECKPOINTS[name]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(settings, indent=1) + "\n")
    if name in README:
        (folder / "README.md").write_text(README[name])
    if name in GENERATION:
        (folder / "generation_config.json").write_text(json.dumps(GENERATION[name], indent=1) + "\n")
    if name in SENTENCE_TRANSFORMERS:
        parts = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
        (folder / "modules.json").write_text(json.dumps([{"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{kind}"} for place, (path, kind) in enumerate(parts)]))
        (folder / "1_Pooling").mkdir(exist_ok=True)
        (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 32, **SENTENCE_TRANSFORMERS[name]}))
    loaded = AutoConfig.from_pretrained(folder)
    kind = AutoModel if name in SENTENCE_TRANSFORMERS else AutoModelForSequenceClassification if name in CLASSIFIERS else AutoModelForCausalLM
    model = kind.from_config(loaded, dtype=torch.float32, attn_implementation="eager").eval()
    randomize(model, sum(name.encode()))
    model.to(dtype)
    tensors = {key: value.contiguous().clone() for key, value in model.state_dict().items()}
    if getattr(loaded, "tie_word_embeddings", False):
        tensors.pop("lm_head.weight", None)
    tensors = published(tensors)
    if name in SHARDED:
        names = sorted(tensors)
        half = len(names) // 2
        parts = {"model-00001-of-00002.safetensors": names[:half], "model-00002-of-00002.safetensors": names[half:]}
        for file, keys in parts.items():
            save_file({key: tensors[key] for key in keys}, folder / file, metadata={"format": "pt"})
        total = sum(value.numel() * value.element_size() for value in tensors.values())
        index = {"metadata": {"total_size": total}, "weight_map": {key: file for file, keys in parts.items() for key in keys}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")
    else:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    # Anew: a model that was cast has rounded the frequencies of its positions too.
    fresh = kind.from_config(loaded, dtype=torch.float32, attn_implementation="eager").eval()
    fresh.load_state_dict({key: value.to(torch.float32) for key, value in model.state_dict().items()})
    return fresh


def published(tensors):
    """Experts one by one, as they are on the Hub; newer versions of transformers keep them as one tensor."""
    result = {}
    for key, value in tensors.items():
        if key.endswith("mlp.experts.gate_up_proj"):
            for number, expert in enumerate(value):
                gate, up = expert.chunk(2, dim=0)
                result[key.replace("gate_up_proj", f"{number}.gate_proj.weight")] = gate.contiguous().clone()
                result[key.replace("gate_up_proj", f"{number}.up_proj.weight")] = up.contiguous().clone()
        elif key.endswith("mlp.experts.down_proj"):
            for number, expert in enumerate(value):
                result[key.replace("down_proj", f"{number}.down_proj.weight")] = expert.contiguous().clone()
        elif not key.endswith("position_ids"):
            result[key] = value
    return result
