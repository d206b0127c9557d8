"""The toy CLIP before it has learned anything: its configuration, its tokenizer and its image processor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    CLIPTextConfig,
    CLIPTokenizerFast,
    CLIPVisionConfig,
)

SIDE = 64
WIDTH = 96
DIMENSION = 128
POSITIONS = 77  # OpenAI's, and with it the length that a text is cut to
BEGIN, END = "<|startoftext|>", "<|endoftext|>"
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def processor(texts: Iterable[str]) -> CLIPProcessor:
    images = CLIPImageProcessor(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}, do_convert_rgb=True
    )
    return CLIPProcessor(images, _tokenizer(texts))


def _tokenizer(texts: Iterable[str]) -> CLIPTokenizerFast:
    """OpenAI's kind: lower case, byte-level BPE with the ends of words marked, the end of the text fills up as well."""
    model = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token=END, continuing_subword_prefix=""))
    model.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    model.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    model.decoder = decoders.ByteLevel()
    # A letter that ends a word is a token of its own, so every text can be spelled.
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=1200, initial_alphabet=alphabet, end_of_word_suffix="</w>", show_progress=False
    )
    model.train_from_iterator([*texts, " ".join(map(chr, range(33, 127)))], trainer)
    model.add_special_tokens([BEGIN, END])  # the last ones, as at OpenAI: END has the highest number
    begin, end = model.token_to_id(BEGIN), model.token_to_id(END)
    model.post_processor = processors.RobertaProcessing(
        sep=(END, end), cls=(BEGIN, begin), trim_offsets=False, add_prefix_space=False
    )
    return CLIPTokenizerFast(
        tokenizer_object=model,
        unk_token=END,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=END,
        model_max_length=POSITIONS,
    )


def config(tokenizer: Any) -> CLIPConfig:
    special = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=POSITIONS,
        projection_dim=DIMENSION,
        **special,
    )
    vision = CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=SIDE,
        patch_size=8,
        projection_dim=DIMENSION,
    )
    return CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=DIMENSION)


def new_model(settings: CLIPConfig) -> Any:
    """What starts at nearly nothing in the original stays there in a training this short: positions and classes."""
    model = CLIPModel(settings)
    model.vision_model.embeddings.position_embedding.weight.data.normal_(std=0.3)
    model.vision_model.embeddings.class_embedding.data.normal_(std=0.3)
    model.text_model.embeddings.token_embedding.weight.data.normal_(std=0.3)
    model.text_model.embeddings.position_embedding.weight.data.normal_(std=0.1)
    return model
