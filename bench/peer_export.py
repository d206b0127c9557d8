"""Run by the peers' own Python: a sentence-transformers folder to TorchScript, as opensearch-py-ml's guide does it."""

from __future__ import annotations

import sys
from pathlib import Path

from opensearch_py_ml.ml_models import SentenceTransformerModel


def main(source: str, out: str) -> None:
    """Write ``model.zip`` and ``ml-commons_model_config.json`` into ``out``."""
    Path(out).mkdir(parents=True, exist_ok=True)
    model = SentenceTransformerModel(model_id=source, folder_path=out, overwrite=True)
    made = model.save_as_pt(model_id=source, sentences=["a text to trace the graph with"], model_name="peer.pt")
    model.make_model_config_json(model_name="peer", model_format="TORCH_SCRIPT")
    Path(made).rename(Path(out) / "model.zip")


if __name__ == "__main__":
    main(*sys.argv[1:])
