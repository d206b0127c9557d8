"""BLIP-2 over OPT and Flan-T5, as in transformers, with its traps closed.

A row of input is ``[padding][image tokens][prompt]``: transformers' own processor puts the padding between image and
prompt, where Flan-T5's relative positions make the answer depend on the longest prompt of the batch. Outside, neither
kind of language model sees it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from osform.caption.engines import EPSILON, Loading, Sight, sight, tokenizer, weights
from osform.caption.prompts import IMAGE
from osform.errors import CaptionError, InputError

if TYPE_CHECKING:
    import numpy

CONTEXT = 512
"""Tokens, image and answer included, that a conversation may have: what Flan-T5 was trained on, and enough for OPT."""


class Blip2:
    """A BLIP-2 in memory; see ``Engine``."""

    answers = True

    def __init__(self, model: Any, words: Any, sees: Sight, loading: Loading, image_token: int) -> None:
        self._model, self._words, self._sees, self._loading = model, words, sees, loading
        self._image_token = image_token
        self._queries = int(model.config.num_query_tokens)
        self._how = _generation(model, loading)

    @property
    def limit(self) -> int:
        text = self._model.config.text_config
        room = min(CONTEXT, int(getattr(text, "max_position_embeddings", None) or CONTEXT))
        answer = 0 if text.is_encoder_decoder else self._loading.max_new_tokens
        return room - self._queries - answer

    def count(self, prompt: str) -> int:
        return len(self._tokens(prompt))

    def see(self, pixels: numpy.ndarray[Any, Any]) -> Any:
        """The language model's embeddings of the pictures, of shape (pictures, queries, width)."""
        import torch

        model = self._model
        with torch.inference_mode():
            values = self._sees.normalised(pixels, self._loading.device).to(model.vision_model.dtype)
            patches = model.vision_model(pixel_values=values).last_hidden_state
            asked = model.qformer(
                query_embeds=model.query_tokens.expand(len(pixels), -1, -1),
                encoder_hidden_states=patches,
                encoder_attention_mask=torch.ones(patches.shape[:-1], dtype=torch.long, device=patches.device),
            ).last_hidden_state
            return model.language_projection(asked.to(patches.dtype))

    def say(self, seen: Any, rows: Sequence[tuple[int, str]]) -> list[str]:
        import torch

        with torch.inference_mode():
            ids, mask = self._ids([prompt for _, prompt in rows])
            check_image_tokens(ids, self._image_token, seen.shape[1])
            embedded = self._model.get_input_embeddings()(ids).clone()
            pictures = seen[torch.tensor([number for number, _ in rows], device=seen.device)]
            embedded[ids == self._image_token] = pictures.reshape(-1, pictures.shape[-1]).to(embedded.dtype)
            # Without ids, generate answers with new tokens alone: no echo of the prompt that would have to be cut off.
            said = self._model.language_model.generate(
                inputs_embeds=embedded, attention_mask=mask, generation_config=self._how
            )
        return [text.strip() for text in self._words.batch_decode(said, skip_special_tokens=True)]

    def _ids(self, prompts: Sequence[str]) -> tuple[Any, Any]:
        import torch

        rows = [[self._image_token] * self._queries + self._tokens(prompt) for prompt in prompts]
        width = max(map(len, rows))
        padding = self._how.pad_token_id
        device = self._loading.device
        ids = torch.tensor([[padding] * (width - len(row)) + row for row in rows], device=device)
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=device)
        return ids, mask

    def _tokens(self, prompt: str) -> list[int]:
        if prompt:
            return list(self._words(prompt)["input_ids"])
        text = self._model.config.text_config  # as transformers begins where there is no prompt; T5 may name no token
        return [text.bos_token_id if text.bos_token_id is not None else text.eos_token_id]


def load(loading: Loading) -> Blip2:
    """Load a BLIP-2 from its folder. Raises CaptionError for one that could not be trusted to see."""
    from transformers import Blip2Config, Blip2ForConditionalGeneration

    try:
        config = Blip2Config.from_pretrained(loading.folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CaptionError(f"{loading.folder}: its config.json can't be used: {error}") from error
    if loading.precision == "fp16" and config.text_config.is_encoder_decoder:
        raise InputError("Flan-T5 overflows in fp16 and answers with nonsense", hint="--precision bf16")
    config.vision_config.layer_norm_eps = EPSILON
    words = tokenizer(loading.folder)
    model = weights(Blip2ForConditionalGeneration, config, loading)
    return Blip2(model, words, sight(loading.folder), loading, _image_token(model, words, loading))


def _image_token(model: Any, words: Any, loading: Loading) -> int:
    """The id that stands for a picture in a row of input, which checkpoints of before November 2024 lack."""
    from transformers import AddedToken

    index = model.config.image_token_index
    known = words.get_vocab().get(IMAGE)
    if index is not None and known not in (None, index):
        raise CaptionError(
            f"{loading.folder}: {IMAGE} is token {known} of the tokenizer and {index} of config.json",
            hint="tokenizer and weights are of different revisions: fetch both anew",
        )
    if known is None and index is None:
        words.add_tokens([AddedToken(IMAGE, normalized=False, special=True)], special_tokens=True)
        known = words.get_vocab()[IMAGE]
    index = int(known if index is None else index)
    model.config.image_token_index = index
    if index >= model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(index + 1, mean_resizing=False)
    return index


def check_image_tokens(ids: Any, image_token: int, queries: int) -> None:
    """Raises CaptionError where a row has not exactly ``queries`` places for its picture.

    transformers fills in as many as there are and says nothing: with none, the text is about no picture at all.
    """
    counts = (ids == image_token).sum(dim=1).tolist()
    wrong = [count for count in counts if count != queries]
    if wrong:
        raise CaptionError(
            f"a row of input has {wrong[0]} image tokens, expected {queries}: the model would not see its picture",
            hint=f"take {IMAGE} out of the prompt" if wrong[0] > queries else None,
        )


def _generation(model: Any, loading: Loading) -> Any:
    from transformers import GenerationConfig

    text = model.config.text_config
    return GenerationConfig(
        max_new_tokens=loading.max_new_tokens,
        do_sample=False,
        num_beams=1,
        bos_token_id=text.bos_token_id,
        eos_token_id=text.eos_token_id,
        pad_token_id=text.pad_token_id if text.pad_token_id is not None else text.eos_token_id,
        decoder_start_token_id=text.decoder_start_token_id if text.is_encoder_decoder else None,
        cache_implementation="static" if loading.static else None,
    )
