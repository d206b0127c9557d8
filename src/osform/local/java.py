"""A Java that OpenSearch can run on, chosen by version and not by what happens to be the default."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from osform.errors import LocalClusterError
from osform.local.artifacts import JavaRange

LOCALE_DATA = "jdk.localedata"
"""Without this module there are no Thai word breaks, and every index creation fails at "Failed to build analyzers"."""

Run = Callable[[list[str]], str]


@dataclass(frozen=True)
class Java:
    """A Java installation. ``feature`` is its version's first number; ``trimmed`` says that modules are missing."""

    home: Path
    version: str
    trimmed: bool = False

    @property
    def feature(self) -> int:
        numbers = [int(number) for number in re.findall(r"\d+", self.version)]
        if not numbers:
            return 0
        return numbers[1] if numbers[0] == 1 and len(numbers) > 1 else numbers[0]  # 1.8.0_402 is Java 8

    def __str__(self) -> str:
        return f"Java {self.version} in {self.home}" + (" (trimmed)" if self.trimmed else "")


def run(command: list[str]) -> str:
    """What a command says, on both streams; empty where it can't be run."""
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout + result.stderr


def homes(env: Mapping[str, str], root: Path = Path("/"), user: Path | None = None) -> list[Path]:
    """Folders where a Java may be, the user's wishes first: environment, PATH, then where systems install them."""
    found = [Path(env[name]) for name in ("OPENSEARCH_JAVA_HOME", "JAVA_HOME") if env.get(name)]
    if java := shutil.which("java", path=env.get("PATH", "")):
        found.append(Path(java).resolve().parent.parent)
    user = user or Path(env.get("HOME") or "~").expanduser()
    for folder, pattern in (
        (root / "usr/lib/jvm", "*"),
        (root / "usr/java", "*"),
        (root / "opt/java", "*"),
        (root / "opt", "*jdk*"),
        (user / ".sdkman/candidates/java", "*"),
        (user / ".jdks", "*"),
        (root / "Library/Java/JavaVirtualMachines", "*/Contents/Home"),
        (user / "Library/Java/JavaVirtualMachines", "*/Contents/Home"),
        (root / "opt/homebrew/opt", "openjdk*/libexec/openjdk.jdk/Contents/Home"),
    ):
        if folder.is_dir():
            found.extend(sorted(folder.glob(pattern)))
    return list(dict.fromkeys(found))


def inspect(home: Path, run: Run = run) -> Java | None:
    """What Java a folder holds, by its ``release`` file, else by asking it; None where it holds none."""
    program = home / "bin/java"
    if not program.is_file():
        return None
    try:
        release = (home / "release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        release = ""
    version = re.search(r'^JAVA_VERSION="([^"]+)"', release, re.MULTILINE)
    modules = re.search(r'^MODULES="([^"]*)"', release, re.MULTILINE)
    if version is None:
        version = re.search(r'version "([^"]+)"', run([str(program), "-version"]))
    if version is None:
        return None
    listed = modules[1] if modules else run([str(program), "--list-modules"])
    return Java(home, version[1], trimmed=bool(listed) and LOCALE_DATA not in listed)


def choose(wanted: JavaRange, candidates: Iterable[Java], what: str, barred: Iterable[Java] = ()) -> Java:
    """The first whole Java of the wanted range.

    Raises LocalClusterError that lists what there is where none fits, those among it that are ``barred`` to the nodes.
    """
    seen = list(candidates)
    for java in seen:
        if java.feature in wanted and not java.trimmed:
            return java
    listed = [*map(str, seen), *(f"{java}, which the account of the nodes can't run" for java in barred)]
    found = "; ".join(dict.fromkeys(listed)) or "none"
    raise LocalClusterError(
        f"{what} needs {wanted}, a whole JDK; found: {found}",
        hint="install one (on Debian and Ubuntu: apt install openjdk-21-jdk-headless; on macOS: brew install "
        "openjdk@21), or name its folder: export OPENSEARCH_JAVA_HOME=/path/to/jdk",
    )


def find(wanted: JavaRange, env: Mapping[str, str], what: str, usable: Callable[[Path], bool] = Path.is_file) -> Java:
    """A Java of the wanted range on this machine whose program is ``usable`` by whoever is to run it."""
    there = [java for home in homes(env) if (java := inspect(home))]
    within = [java for java in there if usable(java.home / "bin/java")]
    return choose(wanted, within, what, [java for java in there if java not in within])
