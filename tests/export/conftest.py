"""Real exports: all-MiniLM-L6-v2 once for all tests, and tiny models of random weights where a test needs its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from osform.core.events import silent
from osform.core.models import FORMATS, Format, PackagedModel
from osform.files.models import load_model
from osform.flows.exporting import Exported, export_model

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.export)
            item.add_marker(pytest.mark.xdist_group("torch"))  # what it makes is made once


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """As in the export's own process: on a busy machine, more threads wait for each other."""
    import torch

    torch.set_num_threads(1)


@dataclass(frozen=True)
class L6:
    """all-MiniLM-L6-v2, exported into a cache of its own."""

    model: PackagedModel
    cache: Path
    exported: dict[Format, Exported]


@pytest.fixture(scope="session")
def l6(tmp_path_factory: pytest.TempPathFactory) -> L6:
    """A copy of the repository's model, without its lock, exported in both formats."""
    folder = tmp_path_factory.mktemp("models") / "all-MiniLM-L6-v2"
    shutil.copytree(REPOSITORY / "models" / folder.name, folder, ignore=shutil.ignore_patterns("lock.yaml"))
    cache = tmp_path_factory.mktemp("cache")
    exported = {}
    for format in FORMATS:
        done = export_model(load_model(folder), format, "fp32", cache=cache, report=silent, environment=os.environ)
        exported[format] = done
    return L6(load_model(folder), cache, exported)


WORDS = ("a", "cat", "dog", "on", "the", "sofa", "beach", "old", "harbour", "##s", "one", "word", "after", "another")
PROBES = ("A cat on the sofa", "dogs", "", "the old harbour " * 30)


def build(folder: Path, *, architecture: str = "bert", length: int = 32, modules: bool = True, **config: Any) -> Path:
    """A folder as on the Hub: a transformer of random weights, its tokenizer, and the modules of a sentence encoder."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer
    from transformers import AutoConfig, AutoModel, BertTokenizerFast

    folder.mkdir(parents=True)
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    if architecture == "distilbert":
        size = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
    settings = AutoConfig.for_model(
        architecture, vocab_size=5 + len(WORDS), max_position_embeddings=length, **{**size, **config}
    )
    torch.manual_seed(7)
    AutoModel.from_config(settings).save_pretrained(folder)
    inputs = ["input_ids", *(["token_type_ids"] if architecture == "bert" else []), "attention_mask"]
    tokenizer = BertTokenizerFast(vocab_file=str(vocabulary), model_max_length=length, model_input_names=inputs)
    tokenizer.save_pretrained(folder)
    if modules:
        encoder = Transformer(str(folder))
        parts = [encoder, Pooling(32, "mean"), Dense(32, 16), Normalize()]
        SentenceTransformer(modules=parts, device="cpu").save(str(folder), create_model_card=False)
    return folder


@pytest.fixture
def tiny(tmp_path: Path) -> Callable[..., PackagedModel]:
    """Makes a model's folder around tiny weights; ``text`` is added to its model.yaml."""

    def make(text: str = "", **how: Any) -> PackagedModel:
        build(tmp_path / "weights", **how)
        folder = tmp_path / "models" / "tiny"
        folder.mkdir(parents=True)
        (folder / "model.yaml").write_text(f"source: {{path: ../../weights}}\n{text}")
        (folder / "probes.txt").write_text("a text")
        model = load_model(folder)
        return replace(model, spec=replace(model.spec, probes=PROBES))

    return make
