"""Reading ahead, in order, whatever happens to the processes that decode."""

from __future__ import annotations

import multiprocessing
import time
from contextlib import closing
from pathlib import Path

from osform.images.decoding import Decoding
from osform.images.fetching import Fetcher, Web
from osform.images.pictures import Picture
from osform.images.reading import Reader
from tests.caption.drawn import folder_of, png


def test_a_crash_of_the_decoder_costs_no_picture(tmp_path: Path) -> None:
    pictures = [Picture(path.name, path=str(path)) for path in sorted(folder_of(tmp_path, 40).iterdir())]
    with closing(Reader(Decoding(32), Fetcher(), workers=1, ahead=16)) as reader:
        ready = reader.read(pictures)
        names = [next(ready).picture.name]
        for worker in multiprocessing.active_children():
            worker.kill()
        rest = list(ready)
    assert names + [each.picture.name for each in rest] == [picture.name for picture in pictures]
    assert all(each.decoded.pixels is not None for each in rest)


def test_pictures_come_in_their_order_from_wherever_they_are(tmp_path: Path) -> None:
    folder_of(tmp_path, 3)
    pictures = [
        Picture("file", path=str(tmp_path / "0000.png")),
        Picture("address", url="http://127.0.0.1:1/a.png"),
        Picture("bytes", content=png(1)),
        Picture("none", reason="nothing there"),
        Picture("another", path=str(tmp_path / "0002.png")),
    ]
    with closing(Reader(Decoding(32), Fetcher(), workers=0, ahead=2)) as reader:
        found = [(each.picture.name, bool(each.decoded.reason)) for each in reader.read(pictures)]
    assert found == [("file", False), ("address", True), ("bytes", False), ("none", True), ("another", False)]


def test_to_close_waits_for_no_other_try_of_a_download() -> None:
    pictures = [Picture("none", reason="nothing there"), Picture("address", url="http://127.0.0.1:1/a.png")]
    web = Web(tries=7, allow_private=True)  # half a minute, were it asked so often
    with closing(Reader(Decoding(32), Fetcher(web), workers=0, ahead=1)) as reader:
        assert next(reader.read(pictures)).picture.name == "none"
        begun = time.monotonic()
    assert time.monotonic() - begun < 10
