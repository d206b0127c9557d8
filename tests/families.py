"""Tiny transformers of random weights, one of each family, laid out as on the Hugging Face Hub.

The weights come from a seed; the tokenizers are of each family's own kind, trained in a moment on a few sentences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TEXTS = (
    "A cat sleeps on the old sofa by the window.",
    "Two dogs run along the beach, and one of them barks at the sea!",
    "The harbour in the morning: coffee, bread, boats and gulls.",
    "Schnee liegt auf den Dächern der Stadt.",
    "one word after another, and then one more",
)
PROBES = ("A cat on the sofa", "dogs, boats & gulls", "Dächer", "the old harbour " * 30)
LENGTH = 48  # tokens that each reads
HIDDEN = 32
POOLINGS = ("mean", "cls", "max", "weightedmean", "lasttoken")  # as sentence-transformers calls them


@dataclass(frozen=True)
class Family:
    """A way to build a tokenizer, the names of its special tokens, and what the configuration has besides its size."""

    tokenizer: Callable[[Mapping[str, str]], Any]
    special: Mapping[str, str]
    config: Mapping[str, Any] = field(default_factory=dict)
    token_types: bool = False
    more_positions: int = 0  # RoBERTa and its relatives keep two for themselves


def build(folder: Path, name: str, *, pooling: str = "mean", dense: bool = False, normalize: bool = True) -> Path:
    """A sentence encoder in ``folder``, which is made."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer

    bare(folder, name, "AutoModel")
    parts: list[Any] = [Transformer(str(folder)), Pooling(HIDDEN, pooling)]
    parts += [Dense(HIDDEN, 16)] if dense else []
    parts += [Normalize()] if normalize else []
    SentenceTransformer(modules=parts, device="cpu").save(str(folder), create_model_card=False)
    return folder


def bare(folder: Path, name: str, auto: str, **config: Any) -> Path:
    """The transformer with the head that transformers' class ``auto`` gives it, and its tokenizer, in ``folder``."""
    import torch
    import transformers

    family = FAMILIES[name]
    folder.mkdir(parents=True)
    tokenizer = _wrapped(family)
    ids = {f"{key.removesuffix('_token')}_token_id": tokenizer.convert_tokens_to_ids(token)
           for key, token in family.special.items() if key in ("pad_token", "bos_token", "eos_token",
                                                               "cls_token", "sep_token")}  # fmt: skip
    size = {"hidden_size": HIDDEN, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    if name == "distilbert":
        size = {"dim": HIDDEN, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
    settings = transformers.AutoConfig.for_model(
        name,
        vocab_size=len(tokenizer),
        max_position_embeddings=LENGTH + family.more_positions,
        **{**size, **ids, **family.config, **config},
    )
    torch.manual_seed(7)
    model = getattr(transformers, auto).from_config(settings)
    for parameter in model.parameters():  # wider than is usual, or texts would hardly differ
        parameter.data += 0.1 * torch.randn_like(parameter)
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _wrapped(family: Family) -> Any:
    from transformers import PreTrainedTokenizerFast

    inputs = ["input_ids", *(["token_type_ids"] if family.token_types else []), "attention_mask"]
    return PreTrainedTokenizerFast(
        tokenizer_object=family.tokenizer(family.special),
        model_max_length=LENGTH,
        model_input_names=inputs,
        **family.special,
    )


def _word_pieces(special: Mapping[str, str]) -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token=special["unk_token"]))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokens = list(special.values())
    trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=tokens, show_progress=False)
    return _ended(_trained(tokenizer, trainer), special)


def _byte_pairs(special: Mapping[str, str]) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokens = list(special.values())
    trainer = trainers.BpeTrainer(vocab_size=330, special_tokens=tokens, initial_alphabet=alphabet, show_progress=False)
    return _ended(_trained(tokenizer, trainer), special)


def _unigrams(special: Mapping[str, str]) -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokens = list(special.values())
    trainer = trainers.UnigramTrainer(
        vocab_size=200, special_tokens=tokens, unk_token=special["unk_token"], show_progress=False
    )
    return _ended(_trained(tokenizer, trainer), special)


def _trained(tokenizer: Any, trainer: Any, texts: Sequence[str] = TEXTS) -> Any:
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _ended(tokenizer: Any, special: Mapping[str, str]) -> Any:
    """With the family's marks around a text, and between two."""
    from tokenizers import processors

    first = special.get("cls_token", special.get("bos_token"))
    last = special.get("sep_token", special.get("eos_token"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        pair=f"{first} $A {last} $B:1 {last}:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (first, last)],
    )
    return tokenizer


_BERT = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
_ROBERTA = {
    "cls_token": "<s>",
    "pad_token": "<pad>",
    "sep_token": "</s>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}
_ROBERTA_IDS = {"bos_token_id": 0, "eos_token_id": 2}

FAMILIES: Mapping[str, Family] = {
    "bert": Family(_word_pieces, _BERT, token_types=True),
    "roberta": Family(_byte_pairs, _ROBERTA, {"type_vocab_size": 1, **_ROBERTA_IDS}, more_positions=2),
    "mpnet": Family(_word_pieces, _ROBERTA, _ROBERTA_IDS, more_positions=2),
    "distilbert": Family(_word_pieces, _BERT),
    "xlm-roberta": Family(_unigrams, _ROBERTA, {"type_vocab_size": 1, **_ROBERTA_IDS}, more_positions=2),
    "modernbert": Family(
        _byte_pairs,
        _BERT,
        # Two kinds of attention in turn, near and far, as in the real one.
        {"global_attn_every_n_layers": 2, "local_attention": 16, "bos_token_id": 2, "eos_token_id": 3},
    ),
}


def cross_encoder(folder: Path, name: str) -> Path:
    """A cross-encoder in ``folder``, which is made: one score for a pair."""
    return bare(folder, name, "AutoModelForSequenceClassification", num_labels=1)


def sparse_encoder(folder: Path, name: str) -> Path:
    """A SPLADE encoder in ``folder``, which is made: a weight for each token of the vocabulary."""
    return bare(folder, name, "AutoModelForMaskedLM")
