"""From a request to its answer: which page it is, and what a page says where something is wrong."""

from __future__ import annotations

import hashlib
import sys
import threading
import traceback
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlencode

from osform.cluster.client import Cluster
from osform.errors import InputError, OsformError
from osform.flows.searching_pictures import Seer
from osform.flows.stack import Stack
from osform.ui import forms, searching, stack_page
from osform.ui.folders import Folders, kind_of
from osform.ui.gate import Gate
from osform.ui.pages import Pages, problem_of
from osform.ui.values import HTML, Asked, Reply

_KEPT = 4  # pictures that were dropped on the page, each as long as the gate lets through
_ASSETS = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Settings:
    """What the page shows. ``stack`` reads the files anew, or raises SpecError; ``index`` is searched first."""

    stack: Callable[[], Stack]
    provision: Path = Path("provision")
    index: str | None = None
    folders: Folders = field(default_factory=Folders)
    gate: Gate = field(default_factory=Gate)


class Uploads:
    """The last few pictures that were dropped on the page, by the hash of their bytes, in memory only."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, content: bytes) -> str:
        """Keep a picture; returns its name."""
        name = hashlib.sha256(content).hexdigest()
        with self._lock:
            self._kept[name] = content
            self._kept.move_to_end(name)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return name

    def get(self, name: str) -> bytes | None:
        """A picture that is still kept."""
        with self._lock:
            return self._kept.get(name)


@dataclass
class App:
    """The pages; may be asked by several threads at a time."""

    cluster: Cluster
    settings: Settings
    uploads: Uploads = field(default_factory=Uploads)
    seer: Seer = field(default_factory=Seer)

    def answer(self, asked: Asked) -> Reply:
        """The answer to a request that the gate let through; never raises."""
        try:
            reply = self._answer(asked)
        except OsformError as error:
            reply = self._problem(error, 400 if isinstance(error, InputError) else 502)
        except Exception:  # noqa: BLE001 - a page that can't be made must not end the server
            traceback.print_exc(file=sys.stderr)
            reply = self._problem(
                OsformError("this is a mistake in osform; the terminal that it runs in has more"), 500
            )
        return self._guarded(reply)

    def refused(self, reply: Reply) -> Reply:
        """What the gate refused, as it is sent: a page where somebody chose too big a picture, else the sentence."""
        if reply.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and isinstance(reply.body, bytes):
            return self._guarded(self._problem(InputError(reply.body.decode().strip()), reply.status))
        return self._guarded(reply)

    def _guarded(self, reply: Reply) -> Reply:
        return Reply(reply.status, reply.body, reply.type, {**self._always(reply.type), **reply.headers})

    def _answer(self, asked: Asked) -> Reply:
        first, _, rest = asked.path.strip("/").partition("/")
        if asked.method == "POST":
            return self._upload(asked) if asked.path == "/picture" else _nothing()
        match first:
            case "":
                return searching.page(asked, self.cluster, self.settings, self.pages, self.uploads.get, self.seer)
            case "stack" if not rest:
                return stack_page.page(self.cluster, self.settings, self.pages)
            case "picture":
                return self._picture(asked, *rest.partition("/")[::2])
            case "upload":
                content = self.uploads.get(rest)
                return _drawn(content, content) if content else _nothing()
            case "static":
                return self._asset(asked, rest)
        return _nothing()

    def _upload(self, asked: Asked) -> Reply:
        form = forms.parse(asked.headers.get("content-type", ""), asked.body)
        content = form.files.get("file", b"")
        kept = [(name, value) for name, value in form.fields if name != "picture"]
        if content:
            if kind_of(content[:16]) is None:
                raise InputError("that is no picture that browsers draw", hint="JPEG, PNG, GIF, WebP, AVIF or BMP")
            kept.append(("picture", self.uploads.add(content)))
        # To an address of its own, so that going back and reloading send no picture again.
        return Reply(303, headers={"Location": f"/?{urlencode(kept)}"})

    def _picture(self, asked: Asked, number: str, name: str) -> Reply:
        path = self.settings.folders.file(number, name)
        if path is None:
            return _nothing()
        with path.open("rb") as file:
            beginning = file.read(16)
        status = path.stat()
        tag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
        headers = {"Cache-Control": "private, max-age=60", "ETag": tag}
        if asked.headers.get("if-none-match") == tag:
            return Reply(304, headers=headers)
        return _drawn(beginning, path, headers)

    def _asset(self, asked: Asked, rest: str) -> Reply:
        mark, _, name = rest.partition("/")
        if name not in _ASSETS or mark != self.pages.mark:
            return _nothing()
        body = files("osform.ui").joinpath(name).read_bytes()
        return Reply(200, body, _ASSETS[name], {"Cache-Control": "private, max-age=31536000, immutable"})

    def _problem(self, error: OsformError, status: int) -> Reply:
        return Reply(status, self.pages.render("problem.html.j2", problem=problem_of(error), here=""))

    @cached_property
    def pages(self) -> Pages:
        """The templates."""
        return Pages(sorted(_ASSETS))

    def _always(self, type: str) -> Mapping[str, str]:
        """Headers of every answer: pages load nothing but this server's own, and nobody frames or reads them."""
        pictures = "'self' blob: https: http:" if self.settings.folders.web else "'self' blob:"
        policy = (
            f"default-src 'none'; style-src 'self'; script-src 'self'; img-src {pictures}; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'"
        )
        return {
            "Content-Security-Policy": policy if type == HTML else "default-src 'none'; sandbox",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",  # with no-referrer, forms would have no Origin to check
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "no-store",
        }


def _drawn(beginning: bytes, body: bytes | Path, headers: Mapping[str, str] | None = None) -> Reply:
    kind = kind_of(beginning[:16])
    if kind is None:
        return Reply.plain(415, "that is no picture that browsers draw")
    return Reply(200, body, kind, headers or {})


def _nothing() -> Reply:
    return Reply.plain(404, "there is nothing at this address")
