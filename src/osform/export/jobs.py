"""Export and comparison run in a process of their own; this is its caller, and the values that go between.

A fresh process, for three reasons: torch numbers the classes that it traces, so a second trace in one process has other
bytes than the first; its environment (no network, no thread pool of the tokenizers) leaves the caller's alone; and the
caller needs no torch. Job and answer are JSON, a line each, with events in between.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from osform.core.events import Advanced, Begun, Ended, Note, Report, Warned
from osform.core.models import Format, FunctionName, Int8, Precision
from osform.errors import ExportError, MissingExtra

EVENTS = {kind.__name__: kind for kind in (Note, Warned, Begun, Advanced, Ended)}
# The weights are on this machine when the job starts, so nothing may go looking for them on the network; and forking
# tokenizers only warn about themselves. One thread, as the ML node has for a text: on a busy machine, more of them
# spend their time waiting for each other.
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
}
ROOM = "see that it may be read and written, and that there is room; OSFORM_CACHE names another folder for bundles"
"""What helps where the system refuses a file."""
SCARCE = "most often for want of memory: an export has the model in memory several times"


@dataclass(frozen=True)
class Layer:
    """A projection's weights in the file ``path``, with ``dimension`` rows; where it is missing it is fitted first.

    It is fitted on ``texts``, or where there are none on words of the source's vocabulary.
    """

    path: str
    dimension: int
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """Make a bundle at the path ``bundle`` (``make``), or take the one that is there; then compare it with its source.

    ``source`` is a folder, ``texts`` are what is compared, and the ``corpus`` as well, with its neighbours.
    ``model_config`` is that of the lock where nothing is made.
    The rest is what model.yaml says, None where the source decides.
    """

    source: str
    format: Format
    precision: Precision
    bundle: str
    texts: tuple[str, ...]
    make: bool
    model_config: Mapping[str, Any] = field(default_factory=dict)
    pooling: str | None = None
    normalize: bool | None = None
    max_length: int | None = None
    space_type: str | None = None
    projection: Layer | None = None
    int8: Int8 = field(default_factory=Int8)
    corpus: tuple[str, ...] = ()
    function_name: FunctionName = "text_embedding"


@dataclass(frozen=True)
class Answer:
    """What the process found. ``vectors`` are the source's own for ``texts``, ``cosines`` compare the bundle's to them.

    Both are what ``core.closeness`` makes of them where the model is no text embedding model.

    ``cosines`` has two more behind those, for the empty text and for one beyond the limit, which are always compared,
    and then those of the corpus, if there is one. ``recall`` is of the corpus' ten nearest.
    """

    dimension: int
    max_length: int
    space_type: str
    function_name: str
    model_config: Mapping[str, Any]
    recipe: Mapping[str, str]
    cosines: tuple[float, ...]
    vectors: tuple[tuple[float, ...] | Mapping[str, float], ...]
    recall: float | None = None


def run(job: Job, report: Report, environment: Mapping[str, str]) -> Answer:
    """Carry out a job in a fresh process.

    Raises MissingExtra where torch and the like aren't installed, and ExportError for everything else.
    """
    command = [sys.executable, "-P", "-m", "osform.export.worker"]  # -P: the working directory can shadow no module
    answer: Answer | None = None
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as chatter,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=chatter,
            text=True,
            encoding="utf-8",
            env={**environment, **ENVIRONMENT},
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with suppress(BrokenPipeError), process.stdin as stdin:  # a process that died at once says why below
                json.dump(asdict(job), stdin)
            for line in process.stdout:
                answer = _take(json.loads(line), report) or answer
            status = process.wait()
        finally:
            process.kill()  # where the caller was interrupted; after an ordinary end it does nothing
        if status or answer is None:
            chatter.seek(0)
            last = chatter.read().strip().splitlines()[-12:]
            how = f"was ended: {signal.strsignal(-status)}" if status < 0 else f"ended with status {status}"
            hint = SCARCE if status == -signal.SIGKILL else None
            raise ExportError("\n".join([f"the export process {how}:", *last]), hint=hint)
    return answer


def _take(message: dict[str, Any], report: Report) -> Answer | None:
    match message:
        case {"event": name, "values": values}:
            report(EVENTS[name](**values))
        case {"error": text, "hint": hint}:
            raise ExportError(text, hint=hint)
        case {"missing": name, "reason": reason}:
            raise MissingExtra("export", "exporting or comparing a model", ImportError(reason, name=name))
        case {"answer": values}:
            vectors = tuple(each if isinstance(each, dict) else tuple(each) for each in values.pop("vectors"))
            return Answer(**{**values, "cosines": tuple(values["cosines"]), "vectors": vectors})
    return None
