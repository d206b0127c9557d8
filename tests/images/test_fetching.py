"""Downloads: what is tried again, what is refused, and that nobody is led into the own network."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from osform.errors import InputError
from osform.images.fetching import Fetcher, Refused, Web, is_public
from osform.images.pictures import with_params
from tests.bounds import harmless
from tests.caption.server import Fate, serving
from tests.serving import DRIPS, dripping


def fetch(fate: Fate, **how: float) -> tuple[str, int]:
    """What came of asking for a picture: "a picture", or the reason; and how often it was asked for."""
    web = Web(allow_private=True, most_bytes=100_000, **how)  # type: ignore[arg-type]
    with serving({1: fate}) as site:
        fetcher = Fetcher(web, sleep=lambda _: None)
        try:
            return "a picture" if fetcher.fetch(site.address(1)).startswith(b"\x89PNG") else "", site.asked[1]
        except Refused as error:
            return str(error), site.asked[1]
        finally:
            fetcher.close()


@pytest.mark.parametrize(
    ("fate", "reason", "asked"),
    [
        ("fine", "a picture", 1),
        ("moved", "a picture", 1),
        ("busy once", "a picture", 2),
        ("cut once", "a picture", 2),
        ("cut", "the connection ended before the picture was whole (3 tries)", 3),
        ("missing", "HTTP 404", 1),
        ("page", "text/html, expected a picture", 1),
        ("huge", "more than 100,000 bytes", 1),
        ("loop", "more than 5 redirects", 6),
    ],
)
def test_a_picture_comes_or_there_is_a_reason(fate: Fate, reason: str, asked: int) -> None:
    assert fetch(fate) == (reason, asked)


def test_a_server_that_does_not_answer_in_time_is_given_up() -> None:
    web = Web(allow_private=True, timeout=0.1)
    with serving({1: "slow"}) as site, closing(Fetcher(web, sleep=lambda _: None)) as fetcher:
        site.slowness = 10.0
        # The latter where a busy machine comes late to its socket's own limit.
        with pytest.raises(Refused, match=r"^(no answer in time|not there after 0 s) \(3 tries\)$"):
            fetcher.fetch(site.address(1))
        ends = time.monotonic() + 30
        while site.asked[1] < 3 and time.monotonic() < ends:  # on a busy machine it comes late to what it was asked
            time.sleep(0.01)
    assert site.asked[1] == 3


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/a.png", "http://localhost:9/", "http://[::1]:9/", "http://0x7f.1:9/"]
)
def test_private_addresses_are_refused(url: str) -> None:
    with pytest.raises(Refused, match=r"private address|no address|can't be reached"):
        Fetcher(Web(tries=1)).fetch(url)


def test_a_redirect_to_a_private_address_is_refused() -> None:
    with serving({1: "private"}) as site:
        with pytest.raises(Refused, match=r"private address 127\.0\.0\.1"):
            Fetcher(Web(tries=1)).fetch(site.address(1))
        with pytest.raises(Refused, match=r"10\.255\.255\.1 is the private address"):
            Fetcher(Web(tries=1, networks=("127.0.0.0/8",))).fetch(site.address(1))


@pytest.mark.parametrize("url", ["http://[::1/a.png", "http://a\u2100.com/a.png", "http://x:99999/a.png"])
def test_what_is_no_address_is_a_reason_and_no_crash(url: str) -> None:
    with pytest.raises(Refused, match=r"no address that can be asked|can't be reached"):
        Fetcher(Web(tries=1)).fetch(with_params(url, {"w": "640"}))


@pytest.mark.parametrize("name", DRIPS)
def test_a_picture_that_drips_is_given_up_at_its_time_limit(name: str) -> None:
    web = Web(allow_private=True, tries=1, timeout=0.5)
    # The latter where a busy machine lets no drop fall for as long; as long as they fall, no socket gives up.
    with dripping(*DRIPS[name]) as url, harmless(), pytest.raises(Refused, match=r"not there after|no answer in time"):
        Fetcher(web).fetch(f"{url}/a.png")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 302 x\r\nlocation: http://[::1\r\ncontent-length: 0\r\n\r\n", "redirects to what is no address"),
        (b"HTTP/1.1 503 x\r\nretry-after: \xb2\r\ncontent-length: 0\r\n\r\n", "HTTP 503"),
    ],
)
def test_headers_that_mean_nothing_are_a_reason_and_no_crash(answer: bytes, reason: str) -> None:
    with dripping(answer, b"") as url, pytest.raises(Refused, match=reason):
        Fetcher(Web(allow_private=True, tries=1)).fetch(f"{url}/a.png")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/a.png", "http://", "http:///a.png"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(Refused, match="expected an address with http or https"):
        Fetcher().fetch(url)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("127.0.0.1", False), ("10.0.0.1", False), ("172.16.0.1", False), ("192.168.1.1", False),
        ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False), ("224.0.0.1", False), ("::1", False),
        ("fe80::1%eth0", False), ("fd00::1", False), ("::ffff:127.0.0.1", False), ("2001:4860:4860::8888", True),
        ("2002:7f00:1::", False), ("64:ff9b::a00:1", False), ("64:ff9b::808:808", True), ("::127.0.0.1", False),
        ("fec0::1", False),
    ],
)  # fmt: skip
def test_which_addresses_lead_to_the_internet(address: str, public: bool) -> None:
    assert is_public(address) == public


def test_one_private_network_may_be_asked_and_no_other() -> None:
    web = Web(networks=("127.0.0.0/8", "fd00::/8"))
    assert [web.may_ask(each) for each in ("127.0.0.1", "fd00::1", "10.0.0.1", "169.254.169.254", "8.8.8.8")] == [
        True, True, False, False, True
    ]  # fmt: skip
    with pytest.raises(InputError, match="expected a network"):
        Web(networks=("10.0.0.1/8",))
