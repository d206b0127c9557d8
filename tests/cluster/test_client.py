"""What the connection says of a cluster that is not there, and of one that is busy."""

from __future__ import annotations

import time

import pytest

from osform.cluster.client import Cluster, without_password
from osform.cluster.retry import ping
from osform.core.connection import parse
from osform.errors import InputError, Unreachable
from tests.cluster.ml_commons import MLCommons
from tests.proxy import Answer, Cut, Proxy, nth


def test_a_cluster_that_is_not_there_is_named_once_and_without_its_password() -> None:
    cluster = Cluster("http://admin:hunter2@127.0.0.1:9")
    with pytest.raises(Unreachable) as caught:
        ping(cluster)
    assert caught.value.message == "http://127.0.0.1:9: connection refused, nothing listens there"
    assert "hunter2" not in str(caught.value)
    cluster.close()


@pytest.mark.parametrize("fault", [Answer(429), Answer(503), Cut(), Cut(after=True)], ids=str)
def test_a_cluster_that_is_busy_at_the_first_question_is_asked_again(fault: Answer | Cut) -> None:
    with MLCommons() as server, Proxy(server.url, nth(1, fault)) as proxy:
        cluster = Cluster(proxy.url)
        assert ping(cluster)["cluster_name"] == "ml"
        cluster.close()
    assert len(proxy.requests) == 2


def test_a_cluster_that_is_not_there_is_not_waited_for() -> None:
    began = time.monotonic()
    cluster = Cluster("http://127.0.0.1:9")
    with pytest.raises(Unreachable):
        ping(cluster)
    cluster.close()
    assert time.monotonic() - began < 3


def test_a_url_without_a_password_is_shown_as_it_is() -> None:
    assert without_password("https://search.example:9200/x") == "https://search.example:9200/x"


@pytest.mark.parametrize("password", ["abc/def", "123/def", "a@b/c", "a#b?c", "a:b/c@d"])
def test_a_password_that_breaks_its_url_is_shown_in_no_message(password: str) -> None:
    url = f"https://ana:{password}@search.example:9200"
    assert without_password(url) == "https://ana:***@search.example:9200"
    with pytest.raises(InputError, match="%2F") as caught:
        parse(url)
    assert password[:3] not in str(caught.value) + repr(caught.value.__cause__)
