"""From nothing to semantic search, on a local OpenSearch: what `make demo` runs.

Each step prints the command that it runs, so that the same can be done by hand.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
SCRATCH = ROOT / ".demo"
BIN = Path(sys.executable).parent
ADDRESS = "http://127.0.0.1:8780/"  # where osform ui serves if nothing else is said


def say(text: str) -> None:
    print(f"\n# {text}", flush=True)


def run(*words: str, out: Path | None = None) -> None:
    """Run a command in the repository's root, its output to the terminal or to a file; end the demo where it fails."""
    shown = " ".join(f'"{word}"' if " " in word else word for word in words)
    print(f"$ {shown}" + (f" > {out.relative_to(ROOT)}" if out else ""), flush=True)
    command = [str(BIN / words[0]), *words[1:]]
    if out is None:
        done = subprocess.run(command, cwd=ROOT, check=False)
    else:
        with out.open("w", encoding="utf-8") as file:
            done = subprocess.run(command, cwd=ROOT, stdout=file, check=False)
    if done.returncode:
        sys.exit(f"the demo stopped here: the command above ended with status {done.returncode}")


def pictures() -> None:
    drawn, captions = ".demo/pictures", ".demo/captions.jsonl"
    say("Pictures: a hundred are drawn, scenes of everyday things")
    run("python", "-m", "examples.drawn", drawn, "--count", "100", "--seed", "1")
    say("A BLIP-2 looks at them, a toy of a million weights that knows such drawings and nothing else; it writes text")
    run("osform", "caption", drawn, "--model", "examples/toys/blip2", "--out", captions, "--restart")
    say("Only the text goes to the cluster")
    run("osform", "ingest", captions, "--into", "drawn", "--id", "image")
    say("By meaning, the pictures are found in words that their captions do not have")
    asked = ("a vessel on the water", "something to keep dry in the rain")
    run("python", "-m", "examples.gallery", "drawn", *asked, "--html", ".demo/found.html")


def look() -> None:
    """How the page is opened, which would serve until Ctrl-C."""
    say(f"To try searches and look at what is found, open a page on this machine; it is at {ADDRESS} until Ctrl-C:")
    print(f"$ {os.path.relpath(BIN / 'osform', ROOT)} ui --index drawn --pictures .demo/pictures --open", flush=True)


def main() -> None:
    started = time.monotonic()
    SCRATCH.mkdir(exist_ok=True)
    say("A real OpenSearch: a data node and a dedicated ML node, on this machine alone")
    run("osform", "cluster", "up")
    say("What the files say: settings, a model group, a model, pipelines, indices. No cluster is asked")
    run("osform", "validate")
    say("Make it so. The model is exported to ONNX and compared with its source, uploaded, deployed, and asked")
    run("osform", "apply", "--yes")
    say("The cluster is as the files say: a plan has nothing left to do")
    run("osform", "plan")
    say("Raw descriptions go in; the cluster's own pipeline makes the vectors")
    run("osform", "ingest", "examples/photos/descriptions.jsonl", "--into", "images")
    say("For volume: the docstrings of this Python's standard library")
    run("python", "examples/stdlib/docstrings.py", out=SCRATCH / "docstrings.jsonl")
    run("osform", "ingest", ".demo/docstrings.jsonl", "--into", "stdlib")
    say("By words, this finds nothing useful: no description of a photo has these words")
    run("osform", "search", "images", "something hot to drink in the morning", "--mode", "lexical", "--size", "3")
    say("By meaning, it finds the coffee")
    run("osform", "search", "images", "something hot to drink in the morning", "--mode", "semantic", "--size", "3")
    say("And the function for the job, in the words of somebody who does not know its name")
    run("osform", "search", "stdlib", "run a program and read what it printed", "--mode", "semantic", "--size", "5")
    pictures()
    say("Words and meaning together, each counted as provision/search_pipeline/hybrid.yaml says")
    run("osform", "search", "images", "a quiet place by the water", "--mode", "hybrid", "--size", "3")
    say("What the photos must find is in provision/checks/images.yaml; so much of it they do")
    run("osform", "evaluate", "images")
    say("The pictures that are found, drawn side by side into a file")
    run("osform", "search", "drawn", "a vessel on the water", "--size", "7", "--grid", ".demo/found.png")
    look()
    say(f"Done in {time.monotonic() - started:.0f} s. Now edit a file in provision/ or templates/ and run: osform plan")
    print("  the cluster stays up: osform cluster status, osform cluster down; make demo-clean takes it all away")


if __name__ == "__main__":
    main()
