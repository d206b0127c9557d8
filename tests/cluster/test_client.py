"""What the connection says of a cluster that is not there."""

from __future__ import annotations

import pytest

from osform.cluster.client import Cluster, without_password
from osform.errors import Unreachable


def test_a_cluster_that_is_not_there_is_named_once_and_without_its_password() -> None:
    cluster = Cluster("http://admin:hunter2@127.0.0.1:9")
    with pytest.raises(Unreachable) as caught:
        cluster.ping()
    assert caught.value.message.startswith("http://admin:***@127.0.0.1:9 gave no answer to GET /: ")
    assert "hunter2" not in str(caught.value)
    assert str(caught.value).count("refused") == 1
    cluster.close()


def test_a_url_without_a_password_is_shown_as_it_is() -> None:
    assert without_password("https://search.example:9200/x") == "https://search.example:9200/x"
