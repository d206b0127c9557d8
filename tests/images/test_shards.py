"""Tar files that are out to harm: given up in little memory, and nothing of them is ever written to a disk."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from osform.images.pictures import Picture, of_shard
from tests.bounds import harmless

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes, "tar.gz": gzip.compress, "tar.bz2": bz2.compress, "tar.xz": lzma.compress,
}  # fmt: skip


def shard(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for member, inside in members:
            archive.addfile(member, io.BytesIO(inside))
    return content.getvalue()


def member(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.size, made.type, made.linkname = size, kind, "/etc/passwd"
    return made


def read(path: Path, content: bytes) -> list[Picture]:
    path.write_bytes(content)
    return list(of_shard(str(path), 1_000_000))


@pytest.mark.parametrize("kind", PACKERS)
def test_a_shard_is_read_however_it_is_packed(tmp_path: Path, kind: str) -> None:
    content = PACKERS[kind](shard((member("a.png", 3), b"abc"), (member("b.json", 2), b"{}")))
    assert [each.content for each in read(tmp_path / f"s.{kind}", content)] == [b"abc"]


@pytest.mark.parametrize("kind", PACKERS)
def test_of_a_shard_that_was_cut_off_what_is_whole_is_taken_and_the_rest_is_one_failure(
    tmp_path: Path, kind: str
) -> None:
    noise = random.Random(0).randbytes(200_000)
    content = PACKERS[kind](shard((member("a.png", 3), b"abc"), (member("b.png", len(noise)), noise)))
    *whole, rest = read(tmp_path / f"s.{kind}", content[: len(content) // 2])
    assert [each.content for each in whole] in ([b"abc"], [])  # bzip2 and xz need more of it to begin
    assert rest.name == str(tmp_path / f"s.{kind}")
    assert "can't be read as a tar file" in rest.reason


def test_paths_and_links_out_of_a_shard_lead_nowhere(tmp_path: Path) -> None:
    content = shard((member("../../a.png", 1), b"x"), (member("b.png", 0, tarfile.SYMTYPE), b""),
                    (member("/c.png", 0, tarfile.LNKTYPE), b""))  # fmt: skip
    found = read(tmp_path / "s.tar", content)
    assert [(each.content, each.reason) for each in found] == [
        (b"x", ""), (None, "not a file in its shard"), (None, "not a file in its shard"),
    ]  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["s.tar"]


@pytest.mark.parametrize("kind", [kind for kind in PACKERS if kind != "tar"])
def test_a_shard_that_unpacks_to_gigabytes_is_given_up(tmp_path: Path, kind: str) -> None:
    content = PACKERS[kind](shard((member("a.txt", 70 << 20), bytes(70 << 20))))
    with harmless():
        [given_up] = read(tmp_path / f"s.{kind}", content)
    assert "unpacks to more than 50 times its size" in given_up.reason


HEADERS = {
    "a name of gigabytes": member("a.png", 8 << 30, tarfile.GNUTYPE_LONGNAME).tobuf(tarfile.GNU_FORMAT),
    "headers of gigabytes": member("a.png", 8 << 30, tarfile.XHDTYPE).tobuf(tarfile.GNU_FORMAT),
    "a sparse file": member("a.png", 8 << 30, tarfile.GNUTYPE_SPARSE).tobuf(tarfile.GNU_FORMAT),
    "a newer sparse file":
    tarfile.TarInfo("a.png")._create_pax_generic_header(  # type: ignore[attr-defined]
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}, tarfile.XHDTYPE, "utf-8")
    + member("a.png", 1 << 20).tobuf(),
}  # fmt: skip


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_no_picture_needs_ends_the_shard(tmp_path: Path, name: str) -> None:
    with harmless():
        [given_up] = read(tmp_path / "s.tar", HEADERS[name] + b"9" * (1 << 20))
    assert re.search("that no picture needs|which no picture is", given_up.reason)
