"""opensearch-py-ml as a peer: in an environment of its own, since it wants packages older than osform's."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.harness import DidNotFinish, Say
from bench.texts import ROOT

PACKAGES = ROOT / "requirements" / "peers.txt"
PLACE = ROOT / ".peers"
EXPORT = Path(__file__).parent / "peer_export.py"


def torch_script(source: Path, say: Say) -> tuple[Path, Mapping[str, Any]]:
    """The zip that opensearch-py-ml makes of a sentence-transformers folder, and the ``model_config`` for it.

    Made once and kept in ``.peers``, with the packages (5 GB, hard links to uv's cache where that is possible).
    Raises DidNotFinish where it can't be made.
    """
    python, out = _environment(say), PLACE / "export"
    config, made = out / "ml-commons_model_config.json", out / "model.zip"
    if not (made.is_file() and config.is_file()):
        say("opensearch-py-ml exports the model")
        _run([str(python), str(EXPORT), str(source), str(out)])
    return made, json.loads(config.read_text(encoding="utf-8"))["model_config"]


def cut_at(bundle: Path) -> int:
    """Tokens at which opensearch-py-ml's tokenizer cuts a text; it fills shorter ones up to as many."""
    with zipfile.ZipFile(bundle) as archive:
        return int(json.loads(archive.read("tokenizer.json"))["truncation"]["max_length"])


def _environment(say: Say) -> Path:
    python = PLACE / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    wanted = hashlib.sha256(PACKAGES.read_bytes()).hexdigest()
    done = PLACE / "packages.sha256"
    if not (python.is_file() and done.is_file() and done.read_text(encoding="utf-8") == wanted):
        say("installing the peers' packages of requirements/peers.txt into .peers (about 5 GB, some minutes at first)")
        uv = str(Path(sys.executable).parent / "uv")
        _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(PLACE)])
        _run([uv, "pip", "install", "--quiet", "--python", str(python), "--require-hashes", "-r", str(PACKAGES)])
        done.write_text(wanted, encoding="utf-8")
    return python


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DidNotFinish(f"{Path(command[0]).name} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
