"""From nothing to semantic search, on a local OpenSearch: what `make demo` runs.

Each step prints the command that it runs, so that the same can be done by hand. With `--check`, only look whether this
machine can run it; that needs no package, so that nothing is downloaded in vain.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parent.parent
SCRATCH = ROOT / ".demo"
BIN = Path(sys.executable).parent
ADDRESS = "http://127.0.0.1:8780/"  # where osform ui serves if nothing else is said
# What says where this machine has room; all else that osform takes from the environment is about reaching clusters.
KEPT = frozenset({"OSFORM_CACHE", "OSFORM_CACHE_DIR", "OSFORM_DATA_DIR", "OSFORM_STATE", "OSFORM_TIMEOUT"})


def say(text: str) -> None:
    print(f"\n# {text}", flush=True)


def apart(env: Mapping[str, str]) -> dict[str, str]:
    """The environment without what names another cluster: the demo makes its things on this machine alone."""
    return {name: value for name, value in env.items() if not name.startswith("OSFORM_") or name in KEPT}


def run(*words: str, out: Path | None = None) -> None:
    """Run a command in the repository's root, its output to the terminal or to a file; end the demo where it fails."""
    shown = " ".join(f'"{word}"' if " " in word else word for word in words)
    print(f"$ {shown}" + (f" > {out.relative_to(ROOT)}" if out else ""), flush=True)
    command = [str(BIN / words[0]), *words[1:]]
    if out is None:
        done = subprocess.run(command, cwd=ROOT, env=apart(os.environ), check=False)
    else:
        with out.open("w", encoding="utf-8") as file:
            done = subprocess.run(command, cwd=ROOT, env=apart(os.environ), stdout=file, check=False)
    if done.returncode:
        sys.exit(f"the demo stopped here: the command above ended with status {done.returncode}")


def pictures() -> None:
    drawn, captions = ".demo/pictures", ".demo/captions.jsonl"
    say("Pictures: a hundred scenes of everyday things are drawn")
    run("python", "-m", "examples.drawn", drawn, "--count", "100", "--seed", "1")
    say("A toy BLIP-2, a million weights that know such drawings and nothing else, describes them in words")
    run("osform", "caption", drawn, "--model", "examples/toys/blip2", "--out", captions, "--restart")
    say("Only the text goes to the cluster")
    run("osform", "ingest", captions, "--into", "drawn", "--id", "image")
    say("By meaning, the pictures are found with words that their captions do not contain")
    asked = ("a vessel on the water", "something to keep dry in the rain")
    run("python", "-m", "examples.gallery", "drawn", *asked, "--html", ".demo/found.html")


def look() -> None:
    """How the page is opened, which would serve until Ctrl-C."""
    say(f"To try searches yourself and see the pictures found, start the page; it is at {ADDRESS} until Ctrl-C:")
    print(f"$ {os.path.relpath(BIN / 'osform', ROOT)} ui --index drawn --pictures .demo/pictures --open", flush=True)


def check() -> None:
    """End here, and say why, where the local cluster can't run on this machine."""
    sys.path.insert(0, str(ROOT / "src"))
    from osform.errors import LocalClusterError
    from osform.local import java, machine
    from osform.local.releases import DEFAULT_VERSION, release

    wanted = release(DEFAULT_VERSION)
    try:
        by = machine.account()
        wanted.torch_for(machine.platform())
        usable = partial(machine.reachable, by=by)
        java.find(wanted.java, os.environ, f"OpenSearch {wanted.version}", usable)
    except LocalClusterError as error:
        sys.exit(f"error: {error.message}\nnext:  {error.hint}")


def main() -> None:
    started = time.monotonic()
    SCRATCH.mkdir(exist_ok=True)
    if aside := sorted(os.environ.keys() - apart(os.environ).keys()):
        say(f"On the cluster of this machine, whatever the environment says: {', '.join(aside)} set aside")
    say("A real OpenSearch: a data node and a dedicated ML node, on this machine alone")
    run("osform", "cluster", "up")
    say("The files are checked: settings, a model group, a model, pipelines, indices. This needs no cluster")
    run("osform", "validate")
    say("They are applied: the model is exported to ONNX, compared with its source, uploaded, deployed and probed")
    run("osform", "apply", "--yes")
    say("Now the cluster is as the files say, and a plan is empty")
    run("osform", "plan")
    say("Raw descriptions go in; the cluster's own pipeline makes their vectors")
    run("osform", "ingest", "examples/photos/descriptions.jsonl", "--into", "images")
    say("For volume, the docstrings of this Python's standard library")
    run("python", "examples/stdlib/docstrings.py", out=SCRATCH / "docstrings.jsonl")
    run("osform", "ingest", ".demo/docstrings.jsonl", "--into", "stdlib")
    say("By words, this finds nothing: no description of a photo has any of them")
    run("osform", "search", "images", "something hot to drink in the morning", "--mode", "lexical", "--size", "3")
    say("By meaning, it finds the coffee")
    run("osform", "search", "images", "something hot to drink in the morning", "--mode", "semantic", "--size", "3")
    say("By meaning again: the function for a job, described by somebody who does not know its name")
    run("osform", "search", "stdlib", "run a program and read what it printed", "--mode", "semantic", "--size", "5")
    pictures()
    say("Words and meaning together, weighted as provision/search_pipeline/hybrid.yaml says")
    run("osform", "search", "images", "a quiet place by the water", "--mode", "hybrid", "--size", "3")
    say("How good the answers are, measured by the questions in provision/checks/images.yaml")
    run("osform", "evaluate", "images")
    say("The pictures that a search finds, side by side in one file")
    run("osform", "search", "drawn", "a vessel on the water", "--size", "7", "--grid", ".demo/found.png")
    look()
    say(f"Done in {time.monotonic() - started:.0f} s. Now edit a file in provision/ and run: .venv/bin/osform plan")
    print("  the cluster keeps running: .venv/bin/osform cluster down stops it, make demo-clean also deletes its data")


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        check()
    else:
        main()
