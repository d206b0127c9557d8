"""Forms with files in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osform.errors import InputError
from osform.ui.forms import Form, parse

KIND = "multipart/form-data; boundary=xyz"


def body(*parts: tuple[str, bytes], end: bytes = b"--xyz--\r\n") -> bytes:
    return b"".join(b"--xyz\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n" for head, content in parts) + end


def field(name: str) -> str:
    return f'Content-Disposition: form-data; name="{name}"'


FILE = 'Content-Disposition: form-data; name="file"; filename="a b.png"\r\nContent-Type: image/png'


def test_fields_keep_their_order_and_files_their_bytes() -> None:
    read = parse(
        KIND, body((field("q"), "größe".encode()), (field("f"), b"a=b"), (field("f"), b"c=d"), (FILE, b"\r\n--xy"))
    )
    assert read == Form((("q", "größe"), ("f", "a=b"), ("f", "c=d")), {"file": b"\r\n--xy"})


@given(st.binary(max_size=300).filter(lambda content: b"\r\n--xyz" not in content))
def test_whatever_a_file_holds_comes_out_as_it_went_in(content: bytes) -> None:
    assert parse(KIND, body((FILE, content))).files == {"file": content}


@pytest.mark.parametrize("kind", ["", "text/plain", "multipart/form-data", "application/x-www-form-urlencoded"])
def test_another_kind_of_body_is_refused(kind: str) -> None:
    with pytest.raises(InputError, match="multipart"):
        parse(kind, body((FILE, b"x")))


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(content: bytes) -> None:
    for each in (content, body(("", content)), body((FILE, b"x"), end=content)):
        try:
            parse(KIND, each)
        except InputError:
            continue
