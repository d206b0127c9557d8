"""Registering a model over a bad wire: whatever fails on the way, it ends in one model, one version, all bytes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from osform.cluster.client import Cluster
from osform.cluster.register import register
from osform.cluster.upload import Bundle
from osform.core.events import Advanced, Begun, Ended, Event, Note, Warned, silent
from osform.errors import InputError, ReadBackMismatch, RequestFailed, TaskFailed, Unreachable
from tests.cluster.ml_commons import MLCommons
from tests.proxy import Answer, Call, Cut, Proxy, Script, Stall, dropping, nth

META = {
    "name": "minilm",
    "function_name": "TEXT_EMBEDDING",
    "model_format": "ONNX",
    "model_group_id": "g1",
    "description": "small",
    "rate_limiter": {"limit": 4, "unit": "MINUTES"},
    "model_config": {"model_type": "bert", "embedding_dimension": 3},
}
BUSY = Answer(429, {"error": {"type": "circuit_breaking_exception", "reason": "Memory Circuit Breaker is open"}})
AWAY = Answer(503, {"error": {"type": "no_shard_available_action_exception", "reason": "no shard"}})


@pytest.fixture
def server() -> Iterator[MLCommons]:
    with MLCommons() as server:
        yield server


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "minilm.zip"
    path.write_bytes(bytes(range(256)) * 10 + b"end")
    return path


def upload(url: str, bundle: Path, script: Script | None = None, **how: Any) -> tuple[str, Proxy]:
    """Register through a proxy that plays ``script``, in eight chunks or so."""
    options: dict[str, Any] = {"model_id": None, "remember": lambda _: None, "report": silent, "deadline_seconds": 30}
    options |= {"chunk_bytes": 330} | how
    meta = options.pop("meta", META)
    with Proxy(url, script) as proxy:
        cluster = Cluster(proxy.url)
        try:
            return register(cluster, meta, bundle, **options), proxy
        finally:
            cluster.close()


def whole(server: MLCommons, model_id: str) -> bytes:
    return b"".join(content for _, content in sorted(server.chunks[model_id].items()))


def chunks_sent(proxy: Proxy) -> list[int]:
    return [int(seen.path.rsplit("/", 1)[1]) for seen in proxy.seen("upload_chunk")]


def test_a_registered_model_has_the_bundles_bytes_and_all_that_was_asked(server: MLCommons, bundle: Path) -> None:
    model_id, _ = upload(server.url, bundle)
    assert whole(server, model_id) == bundle.read_bytes()
    assert server.models[model_id]["model_state"] == "REGISTERED"
    assert all(server.models[model_id][key] == value for key, value in META.items() if key != "function_name")


def test_the_last_numbered_chunk_is_the_last_one_sent(server: MLCommons, bundle: Path) -> None:
    slow_first = nth(1, Stall(0.3), path="upload_chunk")
    _, proxy = upload(server.url, bundle, slow_first)
    sent = chunks_sent(proxy)
    assert sorted(sent) == list(range(8))
    assert sent[-1] == 7
    assert any("_search" in seen.path for seen in proxy.requests[proxy.seen("upload_chunk/6")[0].number : -1])


def test_the_id_is_remembered_before_the_first_chunk(server: MLCommons, bundle: Path) -> None:
    seen: list[tuple[str, int]] = []
    model_id, _ = upload(server.url, bundle, remember=lambda id: seen.append((id, len(server.chunks))))
    assert seen == [(model_id, 0)]


def test_an_interrupted_upload_sends_only_what_is_missing(server: MLCommons, bundle: Path) -> None:
    with pytest.raises(RequestFailed):
        upload(server.url, bundle, nth(4, Answer(400), path="upload_chunk"), parallel=1)
    there = set(server.chunks["model1"])
    model_id, proxy = upload(server.url, bundle, model_id="model1")
    assert set(chunks_sent(proxy)) == set(range(8)) - there
    assert (model_id, len(server.models), whole(server, model_id)) == ("model1", 1, bundle.read_bytes())


def test_an_upload_that_nobody_remembered_is_found_by_its_hash(server: MLCommons, bundle: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        upload(server.url, bundle, remember=_killed)
    model_id, _ = upload(server.url, bundle)
    assert (model_id, server.versions) == ("model1", 1)


def test_a_model_that_belongs_to_somebody_else_is_not_taken_for_this_one(server: MLCommons, bundle: Path) -> None:
    first, _ = upload(server.url, bundle)
    second, _ = upload(server.url, bundle, others={first})
    assert (second != first, len(server.models)) == (True, 2)


def test_an_upload_taken_up_with_another_chunk_size_keeps_the_first_cut(server: MLCommons, bundle: Path) -> None:
    with pytest.raises(RequestFailed):
        upload(server.url, bundle, nth(4, Answer(400), path="upload_chunk"), parallel=1)
    model_id, _ = upload(server.url, bundle, chunk_bytes=1000)
    assert whole(server, model_id) == bundle.read_bytes()


def test_the_same_bytes_are_not_uploaded_twice(server: MLCommons, bundle: Path) -> None:
    first, _ = upload(server.url, bundle)
    events: list[Event] = []
    second, proxy = upload(server.url, bundle, report=events.append)
    assert (first, server.versions, chunks_sent(proxy)) == (second, 1, [])
    assert events == [Note(f"minilm: the same bytes are on the cluster already, as model {first}")]


def test_the_same_bytes_in_another_group_are_another_model(server: MLCommons, bundle: Path) -> None:
    upload(server.url, bundle)
    upload(server.url, bundle, meta={**META, "model_group_id": "g2"})
    assert [model["model_group_id"] for model in server.models.values()] == ["g1", "g2"]


def test_the_same_bytes_with_another_configuration_are_another_model(server: MLCommons, bundle: Path) -> None:
    upload(server.url, bundle)
    upload(server.url, bundle, meta={**META, "model_config": {"model_type": "bert", "embedding_dimension": 4}})
    assert server.versions == 2


def test_a_changed_description_of_the_same_bytes_is_set_in_place(server: MLCommons, bundle: Path) -> None:
    model_id, _ = upload(server.url, bundle)
    upload(server.url, bundle, meta={**META, "description": "smaller"})
    assert server.models[model_id]["description"] == "smaller"


def test_a_journal_that_speaks_of_other_bytes_is_reported_and_left_alone(server: MLCommons, bundle: Path) -> None:
    old, _ = upload(server.url, bundle)
    bundle.write_bytes(b"new bytes")
    events: list[Event] = []
    new, _ = upload(server.url, bundle, model_id=old, report=events.append)
    assert new != old
    assert isinstance(events[0], Warned)


def test_a_journal_that_speaks_of_a_model_that_is_gone_starts_anew(server: MLCommons, bundle: Path) -> None:
    model_id, _ = upload(server.url, bundle, model_id="gone")
    assert whole(server, model_id) == bundle.read_bytes()


@pytest.mark.parametrize("trouble", [BUSY, Cut(), Cut(after=True)], ids=["429", "cut", "cut after"])
@pytest.mark.parametrize("number", range(1, 20))
def test_one_failure_anywhere_changes_nothing(server: MLCommons, bundle: Path, trouble: Any, number: int) -> None:
    model_id, _ = upload(server.url, bundle, nth(number, trouble))
    assert (len(server.models), whole(server, model_id)) == (1, bundle.read_bytes())
    assert server.models[model_id]["model_state"] == "REGISTERED"
    assert server.models[model_id]["description"] == "small"
    assert server.versions == 1


@pytest.mark.parametrize("number", range(1, 20))
def test_killed_at_any_request_the_next_run_completes_the_one_model(
    server: MLCommons, bundle: Path, number: int
) -> None:
    with pytest.raises((Unreachable, RequestFailed, TaskFailed)):
        upload(server.url, bundle, _dead_from(number), deadline_seconds=0.2)
    model_id, _ = upload(server.url, bundle)
    assert (list(server.models), whole(server, model_id)) == ([model_id], bundle.read_bytes())


def test_a_shard_that_is_not_there_yet_is_waited_for(server: MLCommons, bundle: Path) -> None:
    model_id, _ = upload(server.url, bundle, lambda call: AWAY if call.number % 3 == 0 else None)
    assert (list(server.models), whole(server, model_id)) == ([model_id], bundle.read_bytes())


def test_a_post_without_an_answer_is_never_blindly_repeated(server: MLCommons, bundle: Path) -> None:
    _, proxy = upload(server.url, bundle, nth(1, Cut(after=True), path="_register_meta"))
    assert (server.versions, len(proxy.seen("_register_meta"))) == (1, 1)


def test_a_field_that_is_dropped_in_passing_stops_before_the_bytes_are_sent(server: MLCommons, bundle: Path) -> None:
    drop = dropping("model_config", "model_type", path="_register_meta", method="POST")
    with pytest.raises(ReadBackMismatch, match=r"model_config\.model_type"):
        upload(server.url, bundle, drop)
    assert (server.models, server.chunks) == ({}, {})


def test_a_description_that_is_acknowledged_and_not_stored_is_named(server: MLCommons, bundle: Path) -> None:
    server.forgetful = True
    with pytest.raises(ReadBackMismatch, match="acknowledged description, rate_limiter"):
        upload(server.url, bundle)


def test_progress_is_told_in_bytes_and_ends_with_all_of_them(server: MLCommons, bundle: Path) -> None:
    events: list[Event] = []
    upload(server.url, bundle, report=events.append)
    size = bundle.stat().st_size
    assert events[0] == Begun("uploading minilm.zip", size, "bytes")
    assert events[-2:] == [Advanced("uploading minilm.zip", size, size), Ended("uploading minilm.zip")]


def test_the_deadline_holds_when_an_answer_never_comes(server: MLCommons, bundle: Path) -> None:
    began = time.monotonic()
    with pytest.raises(Unreachable):
        upload(server.url, bundle, lambda call: Stall(60), deadline_seconds=0.5)
    assert time.monotonic() - began < 5


def test_a_bundle_that_is_not_the_one_that_was_locked_is_refused(server: MLCommons, bundle: Path) -> None:
    with pytest.raises(InputError, match=r"minilm\.zip: SHA-256 .* is expected"):
        upload(server.url, bundle, meta={**META, "model_content_hash_value": "0" * 64})
    assert server.models == {}


def test_a_model_without_a_group_is_refused_since_the_server_would_pick_one(server: MLCommons, bundle: Path) -> None:
    with pytest.raises(InputError, match="model_group_id must be given"):
        upload(server.url, bundle, meta={**META, "model_group_id": None})


def test_a_switch_that_is_off_is_not_missed_where_the_server_leaves_it_out(server: MLCommons, bundle: Path) -> None:
    config = {**META["model_config"], "normalize_result": False}  # type: ignore[dict-item]
    drop = dropping("model_config", "normalize_result", path="_register_meta", method="POST")
    first, _ = upload(server.url, bundle, drop, meta={**META, "model_config": config})
    second, _ = upload(server.url, bundle, meta={**META, "model_config": config})
    assert first == second


def test_a_missing_bundle_is_refused_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.zip"):
        Bundle.read(tmp_path / "nothing.zip")


def _killed(_: str) -> None:
    raise KeyboardInterrupt


def _dead_from(number: int) -> Callable[[Call], Cut | None]:
    return lambda call: Cut() if call.number >= number else None
