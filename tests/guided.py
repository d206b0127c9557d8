"""Looks for bytes that crash one of the functions of tests.fuzz, guided by what code they reach.

    python -m tests.guided yaml -max_total_time=600

``all`` for a name takes them in turn. Nothing of osform may be imported before atheris watches the imports.
"""

from __future__ import annotations

import sys


def main() -> None:
    import atheris

    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=["osform", "yaml", "jinja2"]):
        from tests.fuzz import TARGETS, tried
    names = list(TARGETS) if name == "all" else [name]

    def one(data: bytes) -> None:
        if data:
            tried(names[data[0] % len(names)], data[1:])

    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
