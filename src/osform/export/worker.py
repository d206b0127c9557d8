"""The process that an export runs in: a job on stdin, events and an answer on stdout, chatter on stderr."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import Any, TextIO

from osform.core.events import Event
from osform.core.models import Int8
from osform.errors import OsformError
from osform.export.jobs import ROOM, Answer, Job, Layer


def main() -> None:
    """Carry out the job.

    Errors that osform raises on purpose, and what the system says of files, are told to the caller; others end in a
    traceback.
    """
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as channel:
        os.dup2(2, 1)  # libraries that print must not speak into the channel
        values = json.load(sys.stdin)
        job = _job(values)

        def report(event: Event) -> None:
            _tell(channel, {"event": type(event).__name__, "values": asdict(event)})

        try:
            from osform.export.work import carry_out

            answer: Answer = carry_out(job, report)
        except OsformError as error:
            _tell(channel, {"error": error.message, "hint": error.hint})
        except ImportError as error:
            _tell(channel, {"missing": error.name, "reason": str(error)})
        except OSError as error:
            if error.errno is None:  # a library that can't be loaded, say
                raise
            _tell(channel, {"error": f"{error.filename or job.bundle}: {error.strerror or error}", "hint": ROOM})
        else:
            _tell(channel, {"answer": asdict(answer)})


def _job(values: dict[str, Any]) -> Job:
    layer = values["projection"]
    projection = Layer(**{**layer, "texts": tuple(layer["texts"])}) if layer else None
    int8 = Int8(**{**values["int8"], "keep": tuple(values["int8"]["keep"])})
    texts = {key: tuple(values[key]) for key in ("texts", "corpus")}
    return Job(**{**values, **texts, "projection": projection, "int8": int8})


def _tell(channel: TextIO, message: object) -> None:
    channel.write(json.dumps(message) + "\n")
    channel.flush()


if __name__ == "__main__":
    main()
