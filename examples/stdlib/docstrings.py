"""Write the docstrings of this Python's standard library as JSON Lines: several thousand real texts, one a line.

    python examples/stdlib/docstrings.py > docstrings.jsonl

The sources are parsed, not imported, so nothing of them runs. A line is a class, a function or a method: ``id`` and
``name`` (the full dotted name), ``module``, ``kind``, ``signature``, ``docstring`` as it is written, and ``summary``,
which the index ``stdlib`` embeds: the definition as one reads it in the source, the docstring's beginning, the module.
A docstring by itself rarely says what it is about, since whoever reads it in place sees the rest.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

# What is nobody's first answer: tests, editors and demos, bundled copies, installed packages; and what Python 3.12 and
# 3.13 removed, so that every Python gives much the same texts.
SKIPPED = {
    *("test", "tests", "idlelib", "idle_test", "turtledemo", "pydoc_data", "ensurepip", "config"),
    *("site-packages", "dist-packages", "lib-dynload", "_vendor", "__pycache__"),
    *("aifc", "asynchat", "asyncore", "audioop", "cgi", "cgitb", "chunk", "crypt", "distutils", "imghdr", "imp"),
    *("lib2to3", "mailcap", "msilib", "nis", "nntplib", "pipes", "smtpd", "sndhdr", "spwd", "sunau", "telnetlib"),
    *("uu", "xdrlib"),
}
SUMMARY_LENGTH = 200

Defined = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def modules(library: Path) -> Iterator[tuple[str, Path]]:
    """The name and file of every module whose source is there, sorted by name."""
    for path in sorted(library.rglob("*.py")):
        parts = path.relative_to(library).with_suffix("").parts
        if SKIPPED.isdisjoint(parts):
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def definitions(node: Defined, name: str) -> Iterator[tuple[str, Defined]]:
    """A node and whatever is defined in it; names with a leading underscore are nobody's business."""
    yield name, node
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return
    for child in node.body:
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not child.name.startswith("_"):
            yield from definitions(child, f"{name}.{child.name}")


def signature(node: Defined) -> str:
    """``(a, b=1)`` of a function, without its annotations; empty for anything else."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return ""
    for argument in ast.walk(node.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    return f"({ast.unparse(node.args)})"


def summary(definition: str, docstring: str, module: str) -> str:
    """What is embedded: ``def getoutput(cmd): Return output ... (subprocess)``."""
    text = " ".join(docstring.split())
    if len(text) > SUMMARY_LENGTH:
        text = text[:SUMMARY_LENGTH].rsplit(" ", 1)[0] + " ..."
    return f"{definition}: {text} ({module})"


def lines(library: Path) -> Iterator[dict[str, str]]:
    """One document for each docstring below ``library``; of names that are defined twice, the first one counts."""
    known: set[str] = set()
    for module, path in modules(library):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in old sources
            tree = ast.parse(path.read_bytes(), str(path))
        for name, node in definitions(tree, module):
            docstring = inspect.cleandoc(ast.get_docstring(node, clean=False) or "")
            if isinstance(node, ast.Module) or not docstring or name in known:
                continue
            known.add(name)
            kind, word = ("class", "class") if isinstance(node, ast.ClassDef) else ("function", "def")
            arguments = signature(node)
            yield {
                "id": name,
                "name": name,
                "module": module,
                "kind": kind,
                "signature": arguments,
                "docstring": docstring,
                "summary": summary(f"{word} {name.removeprefix(module + '.')}{arguments}", docstring, module),
            }


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the standard library's docstrings as JSON Lines.")
    parser.add_argument(
        "--library", type=Path, default=Path(sysconfig.get_path("stdlib")), help="default: this Python's"
    )
    for line in lines(parser.parse_args().library):
        sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
