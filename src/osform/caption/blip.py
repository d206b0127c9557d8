"""BLIP, the smaller model before BLIP-2, for captions and for going on from a prompt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from osform.caption.engines import EPSILON, Loading, Sight, sight, tokenizer, weights
from osform.errors import CaptionError

if TYPE_CHECKING:
    import numpy


class Blip:
    """A BLIP in memory; see ``Engine``."""

    answers = False

    def __init__(self, model: Any, words: Any, sees: Sight, loading: Loading) -> None:
        from transformers import GenerationConfig

        self._model, self._words, self._sees, self._loading = model, words, sees, loading
        text = model.config.text_config
        self._how = GenerationConfig(
            max_new_tokens=loading.max_new_tokens,
            do_sample=False,
            num_beams=1,
            bos_token_id=text.bos_token_id,
            eos_token_id=text.sep_token_id,
            pad_token_id=text.pad_token_id,
        )

    @property
    def limit(self) -> int:
        return int(self._model.config.text_config.max_position_embeddings) - self._loading.max_new_tokens

    def count(self, prompt: str) -> int:
        return len(self._tokens(prompt))

    def see(self, pixels: numpy.ndarray[Any, Any]) -> Any:
        """The vision model's patches, of shape (pictures, patches, width)."""
        import torch

        with torch.inference_mode():
            values = self._sees.normalised(pixels, self._loading.device).to(self._model.dtype)
            return self._model.vision_model(pixel_values=values)[0]

    def say(self, seen: Any, rows: Sequence[tuple[int, str]]) -> list[str]:
        """Prompts of one length at a time: BLIP's decoder knows no padding in front."""
        lengths: dict[int, list[int]] = defaultdict(list)
        for place, (_, prompt) in enumerate(rows):
            lengths[self.count(prompt)].append(place)
        said = [""] * len(rows)
        for places in lengths.values():
            for place, text in zip(places, self._say(seen, [rows[place] for place in places]), strict=True):
                said[place] = text
        return said

    def _say(self, seen: Any, rows: Sequence[tuple[int, str]]) -> list[str]:
        import torch

        with torch.inference_mode():
            ids = torch.tensor([self._tokens(prompt) for _, prompt in rows], device=seen.device)
            pictures = seen[torch.tensor([number for number, _ in rows], device=seen.device)]
            said = self._model.text_decoder.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                encoder_hidden_states=pictures,
                encoder_attention_mask=torch.ones(pictures.shape[:-1], dtype=torch.long, device=seen.device),
                generation_config=self._how,
            )
        return [text.strip() for text in self._words.batch_decode(said[:, ids.shape[1] :], skip_special_tokens=True)]

    def _tokens(self, prompt: str) -> list[int]:
        begin = self._model.config.text_config.bos_token_id
        return [begin, *self._words(prompt, add_special_tokens=False)["input_ids"]] if prompt else [begin]


def load(loading: Loading) -> Blip:
    """Load a BLIP that captions from its folder. Raises CaptionError for one that can't be loaded."""
    from transformers import BlipConfig, BlipForConditionalGeneration

    try:
        config = BlipConfig.from_pretrained(loading.folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CaptionError(f"{loading.folder}: its config.json can't be used: {error}") from error
    config.vision_config.layer_norm_eps = EPSILON
    model = weights(BlipForConditionalGeneration, config, loading)
    return Blip(model, tokenizer(loading.folder), sight(loading.folder), loading)
