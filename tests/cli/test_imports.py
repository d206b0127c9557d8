"""What a start costs: the command line's help and ``import osform`` import next to nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = [
    "torch", "transformers", "sentence_transformers", "numpy", "onnx", "opensearchpy", "pydantic", "rich", "yaml",
    "jinja2", "requests", "jgo",
]  # fmt: skip


def imported(program: str) -> set[str]:
    """The top-level modules that a fresh Python has once it has run the program."""
    code = f"{program}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


HELP = """
from osform.cli.main import main
try:
    main(["--help"])
except SystemExit as ended:
    assert ended.code == 0
"""


@pytest.mark.parametrize("program", ["import osform", HELP, HELP.replace("--help", "--version")])
def test_neither_a_model_library_nor_a_client_nor_a_parser_is_imported(program: str) -> None:
    assert not imported(program) & set(HEAVY)


def test_checking_files_imports_no_model_library_and_no_progress_bars() -> None:
    base = Path(__file__).parents[1] / "specs" / "base" / "provision"
    program = HELP.replace('["--help"]', f'["validate", "--provision", {str(base)!r}]')
    assert not imported(program) & {"torch", "transformers", "sentence_transformers", "numpy", "onnx", "rich"}
