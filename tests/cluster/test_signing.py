"""Requests for AWS, checked by a service that computes their signatures by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

import pytest

from osform.cluster.client import Cluster
from osform.core.connection import Connection, SigV4
from osform.core.request import Request
from osform.errors import InputError, RequestFailed
from tests.certificates import Said, serving
from tests.sigv4 import Service

# The key, the moment and the signatures of AWS's published test suite (aws-sig-v4-test-suite).
SUITE = Service("service", "us-east-1", "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
MOMENT = {"host": "example.amazonaws.com", "x-amz-date": "20150830T123600Z"}
NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
VECTORS = {
    "get-vanilla": ("GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    "get-vanilla-query-order-key-case": (
        "GET", "/?Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
    ),
    "post-vanilla": ("POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
}  # fmt: skip
KEY, SECRET, TOKEN = "AKIAEXAMPLE", "a-secret-of-forty-letters", "a-session-token"
REQUESTS = (
    Request("GET", "/"),
    Request("PUT", "/images", {"settings": {"index.knn": True}, "text": "Größe, naïve 中"}),
    Request("POST", "/_bulk", '{"index":{}}\n{"a":1}\n'),
    Request("POST", "/_plugins/_ml/models/x/upload_chunk/0", bytes(range(256))),
    Request("GET", "/a%2Cb,c%20d/_search", {"query": {"match_all": {}}}, {"q": "a b+c/d", "filter_path": "hits.*,_id"}),
    Request("GET", "/%3Clogs-%7Bnow%2Fd%7D%3E", None, {"flag": ""}),
    Request("DELETE", "/images-v1"),
)


@pytest.mark.parametrize("name", VECTORS)
def test_the_service_computes_what_aws_published(name: str) -> None:
    method, target, signature = VECTORS[name]
    assert SUITE.signature(method, target, MOMENT, NOTHING) == signature


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's environment, and nothing of this machine's."""
    for name, value in {"ID": KEY, "KEY": SECRET}.items():
        monkeypatch.setenv(f"AWS_{'ACCESS_KEY_ID' if name == 'ID' else 'SECRET_ACCESS_KEY'}", value)
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")


@contextmanager
def service(name: Literal["es", "aoss"], *, clock: float = 0.0, region: str = "eu-west-1") -> Iterator[Cluster]:
    """A service whose clock is so many seconds ahead of this machine's."""
    there = Service(name, "eu-west-1", KEY, SECRET, TOKEN)

    def answer(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Said:
        refusal = there.refusal(method, path, headers, body, time.time() + clock)
        return Said(403, {"message": refusal}) if refusal else Said(body={"method": method})

    with serving(answer) as server:
        cluster = Cluster(Connection((server.url,), SigV4(name, region), timeout=5))
        yield cluster
        cluster.close()


@pytest.mark.parametrize("request_", REQUESTS, ids=str)
@pytest.mark.parametrize("name", ["es", "aoss"])
def test_every_sort_of_request_is_signed_with_its_body(name: Literal["es", "aoss"], request_: Request) -> None:
    with service(name) as cluster:
        assert cluster.send(request_) == {"method": request_.method}


@pytest.mark.parametrize("name", ["es", "aoss"])
@pytest.mark.parametrize("clock", [-290, 290])
def test_a_clock_that_is_almost_five_minutes_off_does_no_harm(name: Literal["es", "aoss"], clock: int) -> None:
    with service(name, clock=clock) as cluster:
        assert cluster.send(Request("GET", "/"))


@pytest.mark.parametrize("name", ["es", "aoss"])
@pytest.mark.parametrize("clock", [-310, 310])
def test_beyond_five_minutes_it_is_the_clock_that_is_named(name: Literal["es", "aoss"], clock: int) -> None:
    with service(name, clock=clock) as cluster, pytest.raises(RequestFailed, match="of another time") as caught:
        cluster.send(Request("GET", "/"))
    assert "clock" in str(caught.value.hint)
    assert not caught.value.passing


def test_a_signature_for_another_region_is_refused_by_the_service_and_said() -> None:
    with service("es", region="us-east-1") as cluster, pytest.raises(RequestFailed, match="scoped to eu-west-1/es"):
        cluster.send(Request("GET", "/"))


def test_keys_and_region_have_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="region"):
        Cluster(Connection(("https://x.example",), SigV4("es")))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(InputError, match="no keys for AWS"):
        Cluster(Connection(("https://x.example",), SigV4("es", "eu-west-1")))


def test_a_role_of_a_profile_is_assumed(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assumed = (
        "<AssumeRoleResponse xmlns='https://sts.amazonaws.com/doc/2011-06-15/'><AssumeRoleResult><Credentials>"
        f"<AccessKeyId>{KEY}</AccessKeyId><SecretAccessKey>{SECRET}</SecretAccessKey>"
        f"<SessionToken>{TOKEN}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>"
        "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody-else")
    there = Service("es", "eu-west-1", KEY, SECRET, TOKEN)

    def answer(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Said:
        return (
            Said(403, {"message": why}) if (why := there.refusal(method, path, headers, body, time.time())) else Said()
        )

    with serving(Said(body=assumed.encode(), headers={"content-type": "text/xml"})) as sts, serving(answer) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        role = SigV4("es", "eu-west-1", role="arn:aws:iam::123456789012:role/deploy")
        cluster = Cluster(Connection((server.url,), role, timeout=5))
        assert cluster.send(Request("GET", "/"))
        cluster.close()
    assert len(sts.seen) == 1
