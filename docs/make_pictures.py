"""Draw docs/images/*.svg anew, from what the commands really write to a terminal.

    OSFORM_CLUSTER=http://127.0.0.1:9200 .venv/bin/python docs/make_pictures.py

The cluster should be one that `make demo` has run on: the stack of this repository is applied, then changed for a
moment in a copy, and put back at the end.
"""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
WIDTH = 112
QUESTION = '"something hot to drink in the morning"'

LIGHT = TerminalTheme(
    (255, 255, 255),
    (31, 35, 40),
    [
        (31, 35, 40),
        (180, 35, 24),
        (17, 99, 41),
        (130, 80, 0),
        (9, 80, 170),
        (118, 60, 170),
        (0, 98, 114),
        (90, 96, 104),
    ],
)

# Rich's own frame without the bar of a window, and without a font from elsewhere: the length of every line is written
# beside it, so that any monospaced font of the reader's fits.
BAR = 27  # what the bar took of the height
FRAME = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" xml:space="preserve">
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>\
</clipPath>
{lines}
</defs>
<rect width="100%" height="100%" rx="8" fill="#ffffff" stroke="#d0d7de" stroke-width="2"/>
<g transform="translate({terminal_x}, 14)" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def shown(command: str, folder: Path) -> str:
    """Run a command with a terminal on its stdout, and messages to a pipe: bars that come and go are left out."""
    outer, inner = pty.openpty()
    errors, writer = os.pipe()
    environ = os.environ | {"COLUMNS": str(WIDTH), "TERM": "xterm-256color", "FORCE_COLOR": "1"}
    environ["PATH"] = f"{Path(sys.executable).parent}:{environ['PATH']}"
    process = subprocess.Popen(
        command, shell=True, cwd=folder, stdin=subprocess.DEVNULL, stdout=inner, stderr=writer, env=environ
    )
    os.close(inner)
    os.close(writer)
    text, open_ends = b"", {outer, errors}
    while open_ends:
        for end in select.select(list(open_ends), [], [])[0]:
            try:
                piece = os.read(end, 65536)
            except OSError:  # a terminal whose other end is closed
                piece = b""
            if not piece:
                open_ends.remove(end)
            text += piece
    if process.wait() != 0:
        sys.exit(f"{command}: status {process.returncode}\n{text.decode()}")
    return text.decode().replace("\r\n", "\n")


def picture(name: str, *commands: str, folder: Path) -> None:
    """Run the commands one after the other, and draw what they wrote."""
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True, color_system="truecolor")
        for number, command in enumerate(commands):
            line = "\n" if number else ""
            console.print(Text(f"{line}$ {command}", style="bold"))
            # The checksum is longer than anybody compares by eye, and would set the picture's width.
            output = re.sub(r"(checksum [0-9a-f]{12})[0-9a-f]{52}", r"\1...", shown(command, folder))
            if output.strip():
                console.print(Text.from_ansi(output.rstrip("\n"), no_wrap=False))
        svg = console.export_svg(title="", theme=LIGHT, code_format=FRAME, unique_id=name)
    svg = re.sub(r'viewBox="0 0 (\S+) ([\d.]+)"', lambda box: f'viewBox="0 0 {box[1]} {float(box[2]) - BAR:g}"', svg)
    svg = re.sub(r"<text [^>]*>\s*</text>", "\n", svg)  # the end of a line, which nobody sees
    svg = "\n".join(line.strip() for line in svg.splitlines() if line.strip()) + "\n"
    (IMAGES / f"{name}.svg").write_text(svg, encoding="utf-8")
    click.echo(f"docs/images/{name}.svg")


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for part in ("provision", "templates", "models", "examples"):
            shutil.copytree(ROOT / part, folder / part)
        shown("osform apply --yes", folder)
        shown("osform ingest examples/photos/descriptions.jsonl --into images", folder)
        picture(
            "search",
            f"osform search images {QUESTION} --mode lexical --size 3",
            f"osform search images {QUESTION} --mode semantic --size 3",
            folder=folder,
        )
        picture(
            "plan",
            "sed -i 's/batch_size: 16/batch_size: 8/' provision/ingest_pipeline/nlp-pipeline.yaml",
            "osform plan",
            "osform apply --yes",
            "osform plan",
            folder=folder,
        )
        shutil.copytree(ROOT / "provision", folder / "provision", dirs_exist_ok=True)
        shown("osform apply --yes", folder)


if __name__ == "__main__":
    main()
