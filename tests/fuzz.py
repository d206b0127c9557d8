"""What strangers may hand to osform, as functions of bytes: anything but an error of osform's own is a crash."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from opensearchpy.exceptions import SerializationError

from osform.cluster.answer import Careful
from osform.cluster.failures import refused
from osform.core.connection import parse as parse_url
from osform.core.document import Document
from osform.core.refs import parse, references, resolve
from osform.core.request import Request
from osform.errors import OsformError
from osform.files import yaml
from osform.files.profiles import profiles
from osform.files.templates import Templates

FOLDER = Path(tempfile.mkdtemp(prefix="osform-fuzz-"))


def of_yaml(data: bytes) -> None:
    yaml.parse(data, "f.yaml")


def of_templates(data: bytes) -> None:
    (FOLDER / "t.j2").write_bytes(data)
    use = Document("use.yaml", {"osform": {"template": "t.j2"}}, {})
    Templates(FOLDER).render("t.j2", {"a": 1, "b": ["x"]}, {"name": "n", "kind": "index", "var": {"v": 2}}, use)


def of_references(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    assert "".join(map(str, parse(text, frozenset({"parameters"})))) is not None
    list(references({"a": [text], text: 1}))
    resolve({"a": [text]}, str)


def of_answers(data: bytes) -> None:
    value = Careful().loads(data.decode("utf-8", "replace"))
    refused(Request("GET", "/"), 403, "x", json.dumps(value), "https://x", "ana")


def of_urls(data: bytes) -> None:
    parse_url(data.decode("utf-8", "replace"))


def of_profiles(data: bytes) -> None:
    (FOLDER / "config.toml").write_bytes(data)
    profiles(FOLDER / "config.toml")


TARGETS: dict[str, Callable[[bytes], None]] = {
    "yaml": of_yaml, "templates": of_templates, "references": of_references, "answers": of_answers, "urls": of_urls,
    "profiles": of_profiles,
}  # fmt: skip


def tried(name: str, data: bytes) -> None:
    """One try: an error that osform means to raise is none."""
    try:
        TARGETS[name](data)
    except (OsformError, SerializationError):
        return
