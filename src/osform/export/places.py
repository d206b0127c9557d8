"""Bundles that somebody else made: from a folder or URL that a stack names, always checked against the lock's hash."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

from osform.core.connection import without_password
from osform.core.events import Advanced, Begun, Ended, Report
from osform.core.models import Bundle
from osform.errors import ExportError

CHUNK = 1 << 20


def fetch(place: str, bundle: Bundle, target: Path, report: Report, *, timeout: float = 60.0) -> bool:
    """Copy ``<place>/<sha256>.zip`` to ``target``; False where the place doesn't have it.

    ``place`` is a folder or an http(s) URL; ``timeout``, in seconds, is how long a server may stay silent. Raises
    ExportError where the place can't be asked, or where its bytes aren't those of the lock.
    """
    name = f"{bundle.sha256}.zip"
    if "://" in place:
        there = _download(f"{place.rstrip('/')}/{name}", bundle, target, report, timeout)
    else:
        there = (Path(place) / name).is_file()
        if there:
            shutil.copyfile(Path(place) / name, target)
    if there:
        with target.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != bundle.sha256:
            raise ExportError(
                f"{without_password(place)}/{name} has the SHA-256 {found}", hint="its bytes are not those of the lock"
            )
    return there


def _download(url: str, bundle: Bundle, target: Path, report: Report, timeout: float) -> bool:
    import requests

    task = f"fetching {bundle.format} {bundle.precision}"
    try:
        with requests.get(url, stream=True, timeout=timeout) as response, target.open("wb") as file:
            if response.status_code == requests.codes.not_found:
                return False
            response.raise_for_status()
            report(Begun(task, bundle.bytes, "bytes"))
            done = 0
            for chunk in response.iter_content(CHUNK):
                done += file.write(chunk)
                if done > bundle.bytes:
                    raise ExportError(
                        f"{without_password(url)} has more than the {bundle.bytes:,} bytes of the lock; "
                        "the rest was not fetched",
                        hint="its bytes are not those of the lock",
                    )
                report(Advanced(task, done, bundle.bytes))
            report(Ended(task))
    except requests.RequestException as error:
        # What requests says of a URL has its password in it.
        reason = str(error) if "@" not in url else _without_url(error)
        message = f"{without_password(url)} can't be fetched: {reason}"
        raise ExportError(message, hint="check `bundles:` in stack.yaml") from (error if "@" not in url else None)
    return True


def _without_url(error: Any) -> str:
    response = error.response
    return type(error).__name__ if response is None else f"HTTP {response.status_code} {response.reason}"
