"""What goes over the wire, to whom, and what of the answer is taken in."""

from __future__ import annotations

import gzip
import json
import logging
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from osform.cluster.answers import Verdict, blank_field, classify, explain
from osform.cluster.client import Cluster
from osform.core.connection import Basic, Bearer, Connection, Hidden, Tls, parse
from osform.core.request import Request
from osform.errors import ClusterError, InputError, Unreachable
from tests.bounds import harmless
from tests.certificates import Authority, Pair, Said, serving
from tests.serving import DRIPS, dripping

ROOT = Request("GET", "/")
ANA = Basic("ana", Hidden("sesame"))


@pytest.fixture(name="authority")
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def ask(*hosts: str, request: Request = ROOT, **more: Any) -> Any:
    cluster = Cluster(Connection(hosts, **{"timeout": 5, **more}))
    try:
        return cluster.send(request)
    finally:
        cluster.close()


def test_a_certificate_of_a_known_ca_is_believed_and_the_name_and_password_are_sent(authority: Authority) -> None:
    with serving(pair=authority.issue("127.0.0.1")) as server:
        ask(server.url, auth=ANA, tls=Tls(authority.file))
    assert server.seen[0]["authorization"] == "Basic YW5hOnNlc2FtZQ=="


def test_a_token_is_sent_as_one(authority: Authority) -> None:
    with serving(pair=authority.issue("127.0.0.1")) as server:
        ask(server.url, auth=Bearer(Hidden("abc")), tls=Tls(authority.file))
    assert server.seen[0]["authorization"] == "Bearer abc"


def test_a_password_of_any_letters_is_sent_as_utf_8() -> None:
    with serving() as server:
        ask(server.url, auth=Basic("ána", Hidden("päss€")))
    assert b64decode(server.seen[0]["authorization"].removeprefix("Basic ")).decode() == "ána:päss€"


@pytest.mark.parametrize("token", ["abc\ndef", "abc\r\nhost: evil", "abc\x00", "päss"])
def test_a_token_that_is_none_is_refused_and_not_repeated(token: str) -> None:
    with serving() as server:
        with pytest.raises(InputError, match="the token has letters") as caught:
            ask(server.url, auth=Bearer(Hidden(token)))
        ask(server.url, auth=Bearer(Hidden("abc\n")))  # a file's last line break
    assert token not in str(caught.value)
    assert [each["authorization"] for each in server.seen] == ["Bearer abc"]


def test_the_pinned_certificate_needs_no_ca(authority: Authority) -> None:
    pair = authority.issue("elsewhere.example")
    with serving(pair=pair) as server:
        assert ask(server.url, tls=Tls(fingerprint=pair.fingerprint))


def test_a_client_shows_its_certificate(authority: Authority) -> None:
    mine = authority.issue("ana")
    with serving(pair=authority.issue("127.0.0.1"), client_ca=authority.file) as server:
        assert ask(server.url, tls=Tls(authority.file, certificate=mine.certificate, key=mine.key))
        with pytest.raises(Unreachable):
            ask(server.url, tls=Tls(authority.file))


def test_a_certificate_may_be_for_the_name_that_is_said(authority: Authority) -> None:
    with serving(pair=authority.issue("search.example")) as server:
        assert ask(server.url, tls=Tls(authority.file, server_name="search.example"))


def test_a_certificate_for_another_name_than_the_one_that_is_said_is_told_so(authority: Authority) -> None:
    with serving(pair=authority.issue("127.0.0.1")) as server, pytest.raises(Unreachable) as caught:
        ask(server.url, tls=Tls(authority.file, server_name="search.example"))
    assert "its certificate is for another name" in caught.value.message
    assert (caught.value.passing, caught.value.sent) == (False, False)


def other_than(pair: Pair, authority: Authority, tmp_path: Path) -> dict[str, tuple[Tls, Pair]]:
    """What a server may come back with between two calls, and what was believed before."""
    stranger = Authority(tmp_path, "stranger").issue("127.0.0.1")
    return {
        "pinned": (Tls(fingerprint=pair.fingerprint), authority.issue("127.0.0.1")),
        "another CA": (Tls(authority.file), stranger),
        "another name": (Tls(authority.file), authority.issue("elsewhere.example")),
    }


@pytest.mark.parametrize("case", ["pinned", "another CA", "another name"])
def test_a_certificate_that_changed_between_two_calls_stops_everything(
    authority: Authority, tmp_path: Path, case: str
) -> None:
    pair = authority.issue("127.0.0.1")
    tls, changed = other_than(pair, authority, tmp_path)[case]
    with serving(pair=pair) as server:
        cluster = Cluster(Connection((server.url,), ANA, tls, timeout=5))
        cluster.send(ROOT)
    with serving(pair=changed, port=int(server.url.rpartition(":")[2])) as after:
        cluster._clients[0].transport.connection_pool.connection._manager.clear()
        with pytest.raises(Unreachable, match="certificate") as caught:
            cluster.send(ROOT)
    cluster.close()
    assert not caught.value.passing
    assert after.seen == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_redirect_is_not_followed_and_carries_no_credentials(authority: Authority, scheme: str) -> None:
    pair = authority.issue("127.0.0.1")
    with serving(pair=pair if scheme == "https" else None) as elsewhere:
        answer = Said(307, {}, {"location": f"{elsewhere.url}/?token=secret"})
        with serving(answer, pair) as server, pytest.raises(ClusterError, match="not followed") as caught:
            ask(server.url, auth=ANA, tls=Tls(authority.file))
    assert elsewhere.seen == []
    assert "secret" not in str(caught.value)


def test_credentials_do_not_go_over_http_to_another_machine() -> None:
    with pytest.raises(InputError, match="is not https"):
        Cluster("http://ana:sesame@search.example:9200")
    Cluster(Connection(("http://search.example:9200",), ANA, plaintext=True)).close()


def test_the_next_host_is_asked_where_one_can_not_be_reached() -> None:
    with serving() as server:
        cluster = Cluster(Connection(("http://127.0.0.1:9", server.url), timeout=5))
        assert cluster.send(ROOT)
        assert cluster.url == server.url
        cluster.close()


def test_a_host_whose_certificate_is_not_believed_is_not_passed_over(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger").issue("127.0.0.1")
    with serving(pair=stranger) as odd, serving() as server, pytest.raises(Unreachable, match="no CA"):
        ask(odd.url, server.url, tls=Tls(authority.file))


def test_a_proxy_is_gone_through_and_never_for_this_machine() -> None:
    with serving(Said(body={"by": "proxy"})) as proxy, serving(Said(body={"by": "server"})) as server:
        assert ask("http://search.example:9200", proxy=proxy.url) == {"by": "proxy"}
        assert ask(server.url, proxy=proxy.url) == {"by": "server"}
    assert proxy.seen[0][":path"] == "http://search.example:9200/"


def gone_through(proxy: str, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask a host by way of a proxy that is named by the environment or by the connection."""
    monkeypatch.setenv("HTTP_PROXY", proxy if how == "environment" else "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    ask("http://search.example:9200", proxy=proxy if how == "connection" else "")


@pytest.mark.parametrize("how", ["environment", "connection"])
def test_a_proxys_url_may_lack_its_scheme_and_have_a_password_of_any_letters(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    with serving() as proxy:
        place = proxy.url.removeprefix("http://")
        gone_through(place, how, monkeypatch)
        gone_through(f"http://ana:a%2Fb%40%E2%82%AC@{place}", how, monkeypatch)
    said = proxy.seen[1]["proxy-authorization"].removeprefix("Basic ")
    assert b64decode(said).decode() == "ana:a/b@€"


@pytest.mark.parametrize(
    "proxy", ["socks5://ana:sesame@proxy:1080", "http://ana:sesame@[proxy", "ana:ses/ame@proxy:3128"]
)
@pytest.mark.parametrize("how", ["environment", "connection"])
def test_a_proxy_that_is_none_is_a_mistake(monkeypatch: pytest.MonkeyPatch, how: str, proxy: str) -> None:
    with pytest.raises(InputError, match=r"ana:\*\*\*@\[?proxy.* is no URL of a proxy"):
        gone_through(proxy, how, monkeypatch)


def test_an_answer_of_gigabytes_is_left_unread() -> None:
    flood = gzip.compress(b'{"x":"' + bytes(300 << 20) + b'"}', 1)
    said = Said(body=flood, headers={"content-encoding": "gzip"})
    with serving(said) as server, harmless(), pytest.raises(ClusterError, match="more than 64 MB, and was not read"):
        ask(server.url)


@pytest.mark.parametrize("name", DRIPS)
def test_an_answer_that_drips_is_given_up(name: str) -> None:
    start, drop = DRIPS[name]
    with dripping(start, drop) as url, harmless(), pytest.raises(Unreachable, match="gave no answer to GET / in time"):
        ask(url, timeout=0.3)


HOSTILE = {
    "deep": b"[" * 200_000,
    "dense": b"[" + b"[]," * 5_000_000 + b"[]]",
    "half": b'{"a":',
    "a long number": b"9" * 100_000,
    "no text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_answer_that_is_no_json_of_a_cluster_is_an_error(name: str) -> None:
    with serving(Said(body=HOSTILE[name])) as server, pytest.raises(ClusterError) as caught:
        ask(server.url)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("body", [[], "x", 3, None, {"error": []}, {"error": {"root_cause": 3, "caused_by": []}}])
def test_an_error_of_any_shape_is_an_error(body: Any) -> None:
    with serving(Said(500, body)) as server, pytest.raises(ClusterError):
        ask(server.url)


WORDS = {
    "a skew": "request signature we calculated ",
    "rights": "no permissions for [",
    "a pipeline": "Pipeline pipeline with id [",
    "a field": "map type field [",
    "anything": "x",
}


@pytest.mark.parametrize("name", WORDS)
@pytest.mark.parametrize("status", [400, 403])
def test_an_error_of_megabytes_is_understood_at_once_and_cut(name: str, status: int) -> None:
    reason = WORDS[name] * 200_000
    body = {"error": {"type": reason, "reason": reason, "caused_by": {"reason": reason}}}
    with serving(Said(status, body)) as server, harmless(), pytest.raises(ClusterError) as caught:
        ask(server.url)
    assert len(str(caught.value)) < 50_000


def test_a_first_line_that_is_none_is_understood_at_once() -> None:
    with dripping(b"<>(" * 20_000 + b"\r\n", b"") as url, harmless(), pytest.raises(Unreachable):
        ask(url)


@pytest.mark.parametrize("name", WORDS)
def test_an_item_of_megabytes_is_understood_at_once_and_cut(name: str) -> None:
    deep: dict[str, Any] = {}
    for _ in range(50):
        deep = {"type": "x", "reason": WORDS[name] * 4_000, "caused_by": deep}
    with harmless():
        assert classify({"status": 400, "error": deep}) is Verdict.ALONE
        assert blank_field({"error": deep}) is None
        assert len(explain({"error": deep})) < 12_000


def test_why_a_shard_failed_is_told() -> None:
    reason = {"type": "security_exception", "reason": "no permissions for [indices:admin/refresh[s]] and User [name=a]"}
    body = {"_shards": {"total": 2, "failed": 1, "failures": [{"shard": 0, "status": "FORBIDDEN", "reason": reason}]}}
    with (
        serving(Said(403, body)) as server,
        pytest.raises(ClusterError, match=r"indices:admin/refresh\[s\] is missing"),
    ):
        ask(server.url, request=Request("POST", "/a/_refresh"))


def test_bodies_and_credentials_are_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(Said(400, {"error": "no"})) as server, pytest.raises(ClusterError):
        ask(server.url, request=Request("PUT", "/x", {"credential": {"key": "hunter2"}}), auth=ANA)
    assert "hunter2" not in caplog.text
    assert "YW5hOnNlc2FtZQ" not in caplog.text


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://a b", "http://x:port", "http://x/?q=1", "https://[::1"])
def test_what_is_no_url_of_a_cluster_is_refused(url: str) -> None:
    with pytest.raises(InputError):
        parse(url)


def test_a_url_is_taken_apart() -> None:
    url, auth = parse("https://ana:se%40same@search.example:9200/prefix/")
    assert url == "https://search.example:9200/prefix"
    assert auth == Basic("ana", Hidden("se@same"))
    assert "same" not in repr(auth)
    assert json.dumps(str(auth)) == json.dumps(repr(auth))
