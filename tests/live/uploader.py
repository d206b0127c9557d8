"""A process of its own that registers a bundle, so that a test can kill it in the middle of an upload.

python -m tests.live.uploader URL META_JSON BUNDLE REMEMBERED CHUNK_BYTES; the model's id goes to the file REMEMBERED.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from osform.cluster.client import Cluster
from osform.cluster.register import register
from osform.core.events import silent


def main(url: str, meta: str, bundle: str, remembered: str, chunk_bytes: str) -> None:
    register(
        Cluster(url),
        json.loads(meta),
        Path(bundle),
        model_id=None,
        remember=lambda model_id: None if remembered == "-" else _write(Path(remembered), model_id),
        report=silent,
        chunk_bytes=int(chunk_bytes),
    )


def _write(path: Path, text: str) -> None:
    path.write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
