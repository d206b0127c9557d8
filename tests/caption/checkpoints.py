"""Small checkpoints of random weights, in the files that the Hub's real ones have. What they say is noise, each time
the same, and another for another picture: enough to see batches, orders, resumption and prompts.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SIZE, QUERIES = 32, 4
SENTENCES = [
    "Question: What colour is it? Answer: red", "a photo of a boat on the sea", "this is a cartoon of a cat",
    "Question: What is in the picture? Answer: a house. Question: Where is it? Answer: on a hill.",
]  # fmt: skip
VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
          "image_size": SIZE, "patch_size": 8}  # fmt: skip


def opt(folder: Path, *, image_token: bool = True, **changed: Any) -> Path:
    """BLIP-2 over OPT; without ``image_token`` as checkpoints of before November 2024 are."""
    from transformers import Blip2Config, OPTConfig

    words = byte_pairs(["</s>", "<pad>", "<unk>"], image_token)
    words.bos_token, words.eos_token, words.pad_token = "</s>", "</s>", "<pad>"
    text = OPTConfig(
        vocab_size=320, hidden_size=32, word_embed_proj_dim=32, ffn_dim=64, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=300, bos_token_id=0, pad_token_id=1, eos_token_id=319, dropout=0.0,
    )  # fmt: skip
    config = Blip2Config(vision_config=VISION, qformer_config=_qformer(), text_config=text.to_dict(),
                         num_query_tokens=QUERIES)  # fmt: skip
    return _blip2(folder, config, words, image_token, changed)


def t5(folder: Path, *, image_token: bool = True, **changed: Any) -> Path:
    """BLIP-2 over Flan-T5; without ``image_token`` as checkpoints of before November 2024 are."""
    from transformers import Blip2Config, T5Config

    words = byte_pairs(["<pad>", "</s>", "<unk>"], image_token, end="</s>")
    words.eos_token, words.pad_token = "</s>", "<pad>"
    text = T5Config(
        vocab_size=320, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, feed_forward_proj="gated-gelu",
        bos_token_id=1, decoder_start_token_id=0, dropout_rate=0.0, tie_word_embeddings=False,
    )  # fmt: skip
    config = Blip2Config(vision_config=VISION, qformer_config=_qformer(), text_config=text.to_dict(),
                         num_query_tokens=QUERIES)  # fmt: skip
    return _blip2(folder, config, words, image_token, changed)


def blip(folder: Path) -> Path:
    """BLIP for captions."""
    import torch
    from transformers import BertTokenizerFast, BlipConfig, BlipForConditionalGeneration, BlipImageProcessor

    folder.mkdir(parents=True)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", "photo", "of", "[DEC]"]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    text = {"vocab_size": len(vocabulary), "hidden_size": 32, "encoder_hidden_size": 32, "intermediate_size": 64,
            "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 128,
            "bos_token_id": len(vocabulary) - 1, "eos_token_id": 3, "sep_token_id": 3, "pad_token_id": 0,
            "is_decoder": True, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}  # fmt: skip
    torch.manual_seed(5)
    model = BlipForConditionalGeneration(BlipConfig(vision_config=VISION, text_config=text, projection_dim=32))
    _roughen(model)
    model.save_pretrained(folder)
    BertTokenizerFast(vocab_file=str(folder / "vocab.txt")).save_pretrained(folder)
    BlipImageProcessor(size={"height": SIZE, "width": SIZE}).save_pretrained(folder)
    return folder


def _qformer() -> dict[str, Any]:
    return {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
            "cross_attention_frequency": 1, "vocab_size": 10, "max_position_embeddings": 16,
            "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}  # fmt: skip


def _blip2(folder: Path, config: Any, words: Any, image_token: bool, changed: dict[str, Any]) -> Path:
    import torch
    from transformers import Blip2ForConditionalGeneration, Blip2Processor, BlipImageProcessor

    folder.mkdir(parents=True)
    if image_token:
        config.image_token_index = words.convert_tokens_to_ids("<image>")
    for key, value in changed.items():
        setattr(config, key, value)
    torch.manual_seed(5)
    model = Blip2ForConditionalGeneration(config)
    _roughen(model)
    model.save_pretrained(folder)
    see = BlipImageProcessor(size={"height": SIZE, "width": SIZE})
    if image_token:
        Blip2Processor(see, words, num_query_tokens=QUERIES).save_pretrained(folder)
    else:
        see.save_pretrained(folder)
        words.save_pretrained(folder)
    return folder


def _roughen(model: Any) -> None:
    """Weights large enough for pictures and prompts to make a difference to the text."""
    import torch

    with torch.no_grad():
        for name, value in model.named_parameters():
            if value.dim() > 1 or "query_tokens" in name:
                value.normal_(0.0, 0.25)


def byte_pairs(special: list[str], image_token: bool, end: str = "") -> Any:
    """A byte-level tokenizer that puts ``</s>`` in front, as OPT's does, or ``end`` behind, as T5's."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=310, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    single = f"$A {end}" if end else "</s> $A"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, special_tokens=[("</s>", tokenizer.token_to_id("</s>"))]
    )
    words = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_input_names=["input_ids", "attention_mask"])
    if image_token:
        words.add_special_tokens({"additional_special_tokens": ["<image>"]})
    return words


def split(folder: Path) -> Path:
    """Put a checkpoint's weights into several files with an index, as the Hub's large ones have them."""
    from transformers import Blip2ForConditionalGeneration

    model = Blip2ForConditionalGeneration.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="50KB")
    return folder


def forget_queries(folder: Path) -> Path:
    """Make a checkpoint's processor one of before November 2024, without num_query_tokens; the model stays."""
    path = folder / "processor_config.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in values.items() if key != "num_query_tokens"}))
    return folder
