"""A Chromium for the tests: one that is there, else the system's package, else Playwright's own, else what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PLAYWRIGHT = (sys.executable, "-m", "playwright", "install", "--only-shell", "chromium")
DEBIAN = (
    ("apt-get", "update", "-qq"),
    ("apt-get", "install", "-qq", "-y", "--no-install-recommends", "chromium"),
)
Which = Callable[[str], str | None]


class NoChromium(Exception):
    """There is no Chromium, and none could be had."""


def found(environ: Mapping[str, str], which: Which = shutil.which) -> str | None:
    """The browser that ``CHROMIUM`` names, or the first that is installed."""
    if named := environ.get("CHROMIUM"):
        if path := which(named):
            return path
        raise NoChromium(f"CHROMIUM={named}: there is no such program")
    return next((path for name in NAMES if (path := which(name))), None)


def obtain(own: str, environ: Mapping[str, str] = os.environ) -> str:
    """A browser, installed if need be; ``own`` is where Playwright keeps the one that it downloads."""
    if path := found(environ):
        return path
    if Path(own).exists():
        return own
    tried = []
    if os.geteuid() == 0 and shutil.which("apt-get"):
        tried.append(_ran(*DEBIAN))
        if path := found(environ):
            return path
    tried.append(_ran(PLAYWRIGHT))
    if Path(own).exists():
        return own
    raise NoChromium(
        "the page's tests need a Chromium, and none could be installed:\n"
        + "\n".join(filter(None, tried))
        + f"\nDebian: sudo {' '.join(DEBIAN[1])}; elsewhere: {' '.join(PLAYWRIGHT)}; or CHROMIUM=/path/of/a/chrome"
    )


def _ran(*commands: tuple[str, ...]) -> str:
    """Run commands until one fails; its last words."""
    for command in commands:
        environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=environ)
        if done.returncode:
            return f"{' '.join(command)}: {(done.stderr or done.stdout).strip()[-300:]}"
    return ""
