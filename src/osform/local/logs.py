"""Log files, read from their ends, and the lines in them that say why a node did not come up."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from osform.local.places import NodePlace

REMEDIES = (
    (re.compile(r"Address already in use|BindHttpException|BindTransportException"),
     "another program took the port: osform cluster up --port 9210"),
    (re.compile(r"Could not reserve enough space|Cannot allocate memory|insufficient memory|OutOfMemoryError"),
     "give it less or more memory: osform cluster up --heap 512m, or --single for one node"),
    (re.compile(r"max virtual memory areas"), "raise the limit: sudo sysctl -w vm.max_map_count=262144"),
    (re.compile(r"No space left on device"), "free some disk space"),
    (re.compile(r"failed to obtain node lock|NodeEnvironment.*lock"),
     "another process uses this data folder; end it, or take another --name"),
    (re.compile(r"UnsatisfiedLinkError"),
     "an index asked for the faiss engine, whose libraries a local cluster does not have: use lucene"),
    (re.compile(r"UnsupportedClassVersionError|unsupported Java|Unrecognized VM option"),
     "another Java is needed: export OPENSEARCH_JAVA_HOME=/path/to/jdk"),
)  # fmt: skip

TROUBLE = re.compile(r"\[(ERROR|FATAL)\s*\]|Exception|Error:|error:|[Ff]ailed|refus|No space|not enough")
FRAME = re.compile(r"at [\w.$/@]+\(|\.\.\. \d+ more")
REPEATED = re.compile(r"^(Caused by|Likely root cause): ")


def tail(file: Path, lines: int) -> list[str]:
    """The last lines of a file, oldest first; none where there is no file."""
    if lines <= 0 or not file.exists():
        return []
    block, data = 1 << 16, b""
    with file.open("rb") as stream:
        position = stream.seek(0, 2)
        while position > 0 and data.count(b"\n") <= lines:
            step = min(block, position)
            position -= step
            stream.seek(position)
            data = stream.read(step) + data
    return data.decode("utf-8", errors="replace").splitlines()[-lines:]


def why(place: NodePlace, lines: int = 6) -> list[str]:
    """The last lines that tell of trouble in a node's log or console, each reason once and without stack frames."""
    recent = [line.strip() for line in (*tail(place.log, 400), *tail(place.console, 60))]
    telling = [line for line in recent if TROUBLE.search(line) and not FRAME.match(line)]
    reasons = {REPEATED.sub("", line)[:200]: None for line in telling or recent}
    return list(reasons)[-lines:]


def remedy(lines: list[str]) -> str | None:
    """What to do about a trouble that is known, going by what the log says."""
    text = "\n".join(lines)
    return next((advice for pattern, advice in REMEDIES if pattern.search(text)), None)


def follow(
    files: Mapping[str, Path], *, sleep: Callable[[float], None] = time.sleep, step: float = 0.5
) -> Iterator[tuple[str, str]]:
    """New lines of several files as they come, with the file's key; one that is begun anew is read from its start."""
    positions = {name: file.stat().st_size if file.exists() else 0 for name, file in files.items()}
    rest = dict.fromkeys(files, b"")
    while True:
        for name, file in files.items():
            size = file.stat().st_size if file.exists() else 0
            if size < positions[name]:
                positions[name], rest[name] = 0, b""
            if size > positions[name]:
                with file.open("rb") as stream:
                    stream.seek(positions[name])
                    data = rest[name] + stream.read()
                    positions[name] = stream.tell()
                *lines, rest[name] = data.split(b"\n")
                yield from ((name, line.decode("utf-8", errors="replace")) for line in lines)
        sleep(step)
