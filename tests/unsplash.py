"""A server on this machine that plays Unsplash: pictures behind addresses with parameters, and pages for people."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from tests.caption.drawn import png
from tests.serving import Quiet, listening

COLUMNS = (
    "photo_id", "photo_url", "photo_image_url", "photo_submitted_at", "photo_featured", "photo_width", "photo_height",
    "photo_aspect_ratio", "photo_description", "photographer_username", "photographer_first_name",
    "photographer_last_name", "exif_camera_make", "exif_camera_model", "exif_iso", "exif_aperture_value",
    "exif_focal_length", "exif_exposure_time", "photo_location_name", "photo_location_latitude",
    "photo_location_longitude", "photo_location_country", "photo_location_city", "stats_views", "stats_downloads",
    "ai_description", "ai_primary_landmark_name", "ai_primary_landmark_latitude", "ai_primary_landmark_longitude",
    "ai_primary_landmark_confidence", "blur_hash",
)  # fmt: skip
"""Those of ``photos.tsv000`` of Unsplash Lite 1.2."""

BROKEN_EVERY = 20
FATES = ("gone", "page", "cut", "text", "empty")


@dataclass
class Site:
    """What was asked: how often each number, and the parameters of the last time."""

    url: str = ""
    asked: Counter[int] = field(default_factory=Counter)
    params: dict[int, list[tuple[str, str]]] = field(default_factory=dict)
    pages: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def fate(number: int) -> str:
    """What comes of a picture's address: one in twenty is broken, each in its way."""
    return "fine" if number % BROKEN_EVERY else FATES[number // BROKEN_EVERY % len(FATES)]


def table(path: Path, site: Site, count: int) -> Path:
    """A ``photos.tsv000`` with so many rows."""
    lines = ["\t".join(COLUMNS)]
    for number in range(count):
        row = dict.fromkeys(COLUMNS, "")
        row |= {
            "photo_id": f"id{number:05}",
            "photo_url": f"{site.url}/photos/{number}",
            "photo_image_url": f"{site.url}/photo-{number}?ixid=M3w{number}&w=4000",
            "photo_width": "4000",
            "photographer_username": f"someone{number % 7}",
            "stats_views": str(number * 10),
        }
        lines.append("\t".join(row[each] for each in COLUMNS))
    path.write_text("\n".join(lines) + "\n")
    return path


@contextmanager
def serving() -> Iterator[Site]:
    """Serve for as long as the block runs."""
    site = Site()

    class Handler(Quiet):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if not parts.path.startswith("/photo-"):
                site.pages += 1
                self._send(200, b"<html>", "text/html")
                return
            number = int(parts.path.removeprefix("/photo-"))
            with site.lock:
                site.asked[number] += 1
                site.params[number] = parse_qsl(parts.query)
            with suppress(BrokenPipeError, ConnectionResetError):
                self._picture(number)

        def _picture(self, number: int) -> None:
            body = png(number)
            match fate(number):
                case "gone":
                    self._send(404, b"not here", "text/plain")
                case "page":
                    self._send(200, b"<html>", "text/html")
                case "cut":
                    self._send(200, body[:30], "image/png", length=len(body))
                case "text":
                    self._send(200, b"this is no picture", "image/png")
                case "empty":
                    self._send(200, b"", "image/png")
                case _:
                    self._send(200, body, "image/png")

        def _send(self, status: int, body: bytes, kind: str, length: int | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(length or len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = length is not None

    with listening(Handler) as site.url:
        yield site
