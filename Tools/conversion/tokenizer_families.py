"""Small tokenizers with the normalizers, pre-tokenizers and post-processors of published families, trained on corpus.py's lines and on
Python's own documentation strings. Each is a folder as its family publishes it: tokenizer.json, tokenizer_config.json, and
tokenizer.model where the family has one."""

import argparse
import ast
import csv
import difflib
import json
import logging
import random
import re
from pathlib import Path

import sentencepiece
import sentencepiece.sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import corpus

CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
LLAMA3 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
GPT4O = (rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{CONTRACTIONS}?|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{CONTRACTIONS}?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
TEKKEN = GPT4O.replace(CONTRACTIONS + "?", "").replace(r"\p{N}{1,3}", r"\p{N}")
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def training_text(more=()):
    """Lines to learn from: the nasty ones, and prose and code that every Python has."""
    text = list(corpus.lines()) * 2
    for module in [argparse, ast, csv, difflib, json, logging, random, re]:
        text += Path(module.__file__).read_text(encoding="utf-8").splitlines(keepends=True)[:800]
    return text + list(more)


def split(pattern):
    return pre_tokenizers.Split(Regex(pattern), behavior="isolated", invert=False)


def byte_level(pre, normalizer=None, size=600, ignore_merges=False, more=()):
    own = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    own.pre_tokenizer = pre
    if normalizer:
        own.normalizer = normalizer
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False)
    own.train_from_iterator(training_text(more), trainer)
    own.decoder = decoders.ByteLevel()
    return own


def whole(pattern):
    return pre_tokenizers.Sequence([split(pattern), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def write(own, folder, config, special=(), plain=(), template=None):
    """`special` and `plain` become added tokens; the published tokenizer_config.json lists them once more."""
    own.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in special])
    own.add_tokens([AddedToken(text, special=False, normalized=False) for text in plain])
    folder.mkdir(parents=True, exist_ok=True)
    own.save(str(folder / "tokenizer.json"))
    added = json.loads((folder / "tokenizer.json").read_text())["added_tokens"]
    decoder = {str(token.pop("id")): token for token in added}
    config = {"added_tokens_decoder": decoder, "clean_up_tokenization_spaces": False, **config}
    if template:
        config["chat_template"] = template
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1, ensure_ascii=False))


def begin_with(own, token):
    """Puts `token` first, as Llama 3 and Mistral do."""
    number = own.token_to_id(token)
    return processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single=f"{token} $A", pair=f"{token} $A {token}:1 $B:1", special_tokens=[(token, number)]),
    ])


def llama3(folder):
    own = byte_level(whole(LLAMA3), ignore_merges=True)
    special = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|finetune_right_pad_id|>"]
    own.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in special])
    own.post_processor = begin_with(own, "<|begin_of_text|>")
    template = (
        "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message.role }}<|end_header_id|>\n\n{{ message.content }}<|eot_id|>{% endfor %}"
        "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
    )
    write(own, folder, {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}, special, template=template)


def qwen2(folder, more=()):
    own = byte_level(whole(QWEN2), normalizers.NFC(), more=more)
    own.post_processor = processors.ByteLevel(trim_offsets=False)
    config = {"tokenizer_class": "Qwen2Tokenizer", "bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "unk_token": None, "add_bos_token": False, "add_prefix_space": False}
    write(own, folder, config, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], ["<think>", "</think>"], CHATML)


def qwen3_reranker(folder):
    """The same with tokens for the answers."""
    qwen2(folder, more=["yes", "no"] * 400)


def smollm(folder):
    own = byte_level(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]))
    own.post_processor = None
    config = {"tokenizer_class": "GPT2Tokenizer", "bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "pad_token": "<|im_end|>", "unk_token": "<|endoftext|>", "add_prefix_space": False}
    write(own, folder, config, ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>"], template=CHATML)


def gpt4o(folder):
    own = byte_level(whole(GPT4O))
    own.post_processor = processors.ByteLevel(trim_offsets=False)
    template = "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
    config = {"tokenizer_class": "GPT2Tokenizer", "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "add_prefix_space": False}
    write(own, folder, config, ["<|endoftext|>", "<|user|>", "<|end|>", "<|assistant|>"], template=template)


def tekken(folder):
    own = byte_level(whole(TEKKEN), ignore_merges=True)
    special = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]"]
    own.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in special])
    own.post_processor = begin_with(own, "<s>")
    template = "{{ bos_token }}{% for message in messages %}{% if message.role == 'user' %}[INST]{{ message.content }}[/INST]{% else %}{{ message.content }}{{ eos_token }}{% endif %}{% endfor %}"
    write(own, folder, {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}, special, template=template)


def train_sentencepiece(folder, kind, size, merges_spaces=False, **more):
    folder.mkdir(parents=True, exist_ok=True)
    text = [line.replace("\x00", "") for piece in training_text() for line in piece.splitlines() if line.strip()]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text), model_prefix=str(folder / "tokenizer"), model_type=kind, vocab_size=size, character_coverage=0.98,
        add_dummy_prefix=True, remove_extra_whitespaces=merges_spaces, num_threads=1, minloglevel=2, **more)
    (folder / "tokenizer.vocab").unlink()
    return sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))


def merges(pieces):
    """As transformers derives them: every way to cut a piece into two others, the best pieces first."""
    numbers = {text: number for number, text in enumerate(pieces)}
    found = []
    for text in pieces:
        cuts = [(text[:place], text[place:]) for place in range(1, len(text))]
        found += sorted((cut for cut in cuts if all(part in numbers for part in cut)), key=lambda cut: (numbers[cut[0]], numbers[cut[1]]))
    return numbers, found


def byte_fallback(model):
    own = models.BPE(*merges([model.id_to_piece(number) for number in range(model.vocab_size())]), unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    own = Tokenizer(own)
    return own


def spm(folder):
    """Llama 2, Mistral up to 0.2, Phi-3: a space goes first everywhere."""
    model = train_sentencepiece(folder, "bpe", 560, byte_fallback=True, split_digits=True, normalization_rule_name="identity")
    own = byte_fallback(model)
    own.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    own.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    own.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)])
    template = "{{ bos_token }}{% for message in messages %}{% if message.role == 'user' %}[INST] {{ message.content }} [/INST]{% else %} {{ message.content }}{{ eos_token }}{% endif %}{% endfor %}"
    config = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": None, "add_bos_token": True, "add_eos_token": False, "legacy": True, "sp_model_kwargs": {}}
    write(own, folder, config, ["<unk>", "<s>", "</s>"], template=template)


def spm_first(folder):
    """Mistral from 0.3 on: a space goes before a text, and not after a control token."""
    model = train_sentencepiece(
        folder, "bpe", 560, byte_fallback=True, split_digits=True, normalization_rule_name="identity", control_symbols=["[INST]", "[/INST]"])
    own = byte_fallback(model)
    own.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)
    own.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    own.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)])
    template = "{{ bos_token }}{% for message in messages %}{% if message.role == 'user' %}[INST] {{ message.content }}[/INST]{% else %} {{ message.content }}{{ eos_token }}{% endif %}{% endfor %}"
    config = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": None, "add_bos_token": True, "add_eos_token": False, "legacy": False}
    write(own, folder, config, ["<unk>", "<s>", "</s>", "[INST]", "[/INST]"], template=template)


def gemma(folder):
    turns = ["<start_of_turn>", "<end_of_turn>"]
    model = train_sentencepiece(
        folder, "bpe", 580, byte_fallback=True, split_digits=True, normalization_rule_name="identity", pad_id=0, eos_id=1, bos_id=2, unk_id=3,
        pad_piece="<pad>", eos_piece="<eos>", bos_piece="<bos>", user_defined_symbols=["<mask>", *turns, "\n\n", "▁▁", "▁▁▁▁"])
    own = byte_fallback(model)
    own.normalizer = normalizers.Replace(" ", "▁")
    own.pre_tokenizer = pre_tokenizers.Split(" ", behavior="merged_with_previous", invert=False)
    own.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    own.post_processor = processors.TemplateProcessing(single="<bos> $A", pair="<bos> $A <bos>:1 $B:1", special_tokens=[("<bos>", 2)])
    template = (
        "{{ bos_token }}{% for message in messages %}<start_of_turn>{{ 'model' if message.role == 'assistant' else message.role }}\n{{ message.content }}<end_of_turn>\n{% endfor %}"
        "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
    )
    config = {"tokenizer_class": "GemmaTokenizer", "bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>", "pad_token": "<pad>", "add_bos_token": True, "add_eos_token": False}
    write(own, folder, config, ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *turns], ["\n\n", "▁▁", "▁▁▁▁"], template)


def wordpiece(folder):
    own = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    own.normalizer = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
    own.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    own.train_from_iterator(training_text(), trainers.WordPieceTrainer(vocab_size=700, special_tokens=special, limit_alphabet=250, show_progress=False))
    own.decoder = decoders.WordPiece()
    own.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    config = {"tokenizer_class": "BertTokenizer", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]", "mask_token": "[MASK]", "do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": True}
    write(own, folder, config, special)


def unigram(folder):
    """XLM-RoBERTa and what was made from it: the likeliest pieces, after SentencePiece's own normalization."""
    model = train_sentencepiece(folder, "unigram", 647, merges_spaces=True, normalization_rule_name="nmt_nfkc")
    spec = sentencepiece.sentencepiece_model_pb2.ModelProto()
    spec.ParseFromString((folder / "tokenizer.model").read_bytes())
    # Fairseq's order: its four first, then SentencePiece's without its own three, then the mask.
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)] + [(model.id_to_piece(n), model.get_score(n)) for n in range(3, model.vocab_size())] + [("<mask>", 0.0)]
    own = Tokenizer(models.Unigram(pieces, unk_id=3, byte_fallback=False))
    own.normalizer = normalizers.Sequence([normalizers.Precompiled(spec.normalizer_spec.precompiled_charsmap), normalizers.Replace(Regex(" {2,}"), " ")])
    own.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")])
    own.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    own.post_processor = processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    # The converter reads this one; goldens.py drops it when all is converted.
    (folder / "tokenizer.model").rename(folder / "sentencepiece.bpe.model")
    config = {"tokenizer_class": "XLMRobertaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "cls_token": "<s>", "unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>", "model_max_length": 64}
    write(own, folder, config, ["<s>", "<pad>", "</s>", "<unk>"])
    return own


FAMILIES = {"llama3": llama3, "qwen2": qwen2, "qwen3-reranker": qwen3_reranker, "smollm": smollm, "gpt4o": gpt4o, "tekken": tekken, "spm": spm, "spm-first": spm_first, "gemma": gemma, "wordpiece": wordpiece, "unigram": unigram}
