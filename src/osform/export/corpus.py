"""Real texts to measure neighbours on where a model.yaml names none: docstrings of this Python's standard library."""

from __future__ import annotations

import ast
import sysconfig
import warnings
from pathlib import Path

COUNT = 1000
LENGTH = 200  # characters of a text
# Tests, editors and demos, bundled copies and installed packages.
SKIPPED = {"test", "tests", "idlelib", "turtledemo", "ensurepip", "site-packages", "dist-packages", "lib-dynload"}

Documented = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def docstrings(count: int = COUNT) -> tuple[str, ...]:
    """``count`` texts of all modules, such as ``getoutput: Return output of a command. (subprocess)``."""
    library = Path(sysconfig.get_path("stdlib"))
    found: dict[str, None] = {}  # in order, without repetitions
    for path in sorted(library.rglob("*.py")):
        parts = path.relative_to(library).with_suffix("").parts
        if SKIPPED.isdisjoint(parts):
            found.update(dict.fromkeys(_texts(path, ".".join(parts))))
    texts = list(found)
    return tuple(texts[number * len(texts) // count] for number in range(count)) if len(texts) > count else tuple(texts)


def _texts(path: Path, module: str) -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in old sources
        try:
            tree = ast.parse(path.read_bytes(), str(path))
        except SyntaxError:  # kept in the library to test parsers with
            return []
    texts = []
    for node in ast.walk(tree):
        if isinstance(node, Documented) and not node.name.startswith("_"):
            words = " ".join((ast.get_docstring(node) or "").split())
            texts += [f"{node.name}: {words[:LENGTH]} ({module})"] if words else []
    return texts
