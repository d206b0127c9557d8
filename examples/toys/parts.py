"""The toy BLIP-2 before it has learned anything: its configuration, its tokenizer and its image processor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    Blip2Config,
    Blip2Processor,
    Blip2QFormerConfig,
    Blip2VisionConfig,
    BlipImageProcessor,
    GPT2TokenizerFast,
    OPTConfig,
)

from examples.toys.lessons import Lesson

SIDE = 64
WIDTH = 96
QUERIES = 16
# The conventions of OPT: </s> begins, a newline ends, and there are positions enough for a long talk.
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
POSITIONS = 512


def seen_at(image: Image.Image) -> Image.Image:
    """A picture at the size the model sees it, as its image processor makes it."""
    return image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def processor(lessons: Iterable[Lesson]) -> Blip2Processor:
    images = BlipImageProcessor(size={"height": SIDE, "width": SIDE})
    return Blip2Processor(images, _tokenizer(lessons), num_query_tokens=QUERIES)


def _tokenizer(lessons: Iterable[Lesson]) -> GPT2TokenizerFast:
    """Byte-level BPE, so that it can read whatever it is asked; each word of the lessons is a token."""
    model = Tokenizer(models.BPE())
    model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=900,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    model.train_from_iterator(("".join(part.text for part in lesson) for lesson in lessons), trainer)
    begin = model.token_to_id("</s>")
    model.post_processor = processors.TemplateProcessing(single="</s> $A", special_tokens=[("</s>", begin)])
    return GPT2TokenizerFast(
        tokenizer_object=model,
        bos_token="</s>",
        eos_token="</s>",
        unk_token="</s>",
        pad_token="<pad>",
        add_bos_token=True,
        padding_side="left",
        model_max_length=POSITIONS,
    )


def config(tokenizer: Any) -> Blip2Config:
    end = tokenizer.convert_tokens_to_ids("Ċ")
    vision = Blip2VisionConfig(
        hidden_size=WIDTH,
        intermediate_size=3 * WIDTH,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=SIDE,
        patch_size=8,
        initializer_range=0.02,
    )
    qformer = Blip2QFormerConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        encoder_hidden_size=WIDTH,
        cross_attention_frequency=1,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        max_position_embeddings=32,
    )
    text = OPTConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        word_embed_proj_dim=WIDTH,
        ffn_dim=3 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=POSITIONS,
        dropout=0.0,
        attention_dropout=0.0,
        bos_token_id=tokenizer.bos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=end,
    )
    return Blip2Config.from_vision_qformer_text_configs(
        vision,
        qformer,
        text,
        num_query_tokens=QUERIES,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
