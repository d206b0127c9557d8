"""What is checked without a cluster: whatever the files hold, the answer is bodies or a list of mistakes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from osform.core.address import Address
from osform.errors import SpecError
from osform.flows.stack import Stack
from tests.trees import LEAVES, trees

BASE = Path(__file__).parents[1] / "specs" / "base"
WORDS = st.sampled_from([
    "settings", "mappings", "aliases", "properties", "fields", "type", "knn_vector", "dimension", "method", "dynamic",
    "processors", "text_embedding", "model_id", "field_map", "pipeline", "name", "on_failure", "persistent", "index",
    "default_pipeline", "model", "format", "precision", "group", "description", "osform", "template", "values",
    "phase_results_processors", "describe", "images", "protect", "variables", "rate_limiter", "backend_roles",
    "request_processors",
])  # fmt: skip
REFS = st.sampled_from([
    "${var.replicas}", "${var.none}", "${env.HOME}", "${env.NONE}", "${model/minilm.model_id}", "x ${env.HOME} y",
    "${model/minilm.dimension}", "${ingest_pipeline/describe.name}", "${index/images.name}", "${", "$${",
    "embed.yaml.j2",
])  # fmt: skip
FILES = [
    "stack.yaml", "cluster_settings/ml.yaml", "model_group/encoders.yaml", "model/minilm.yaml", "index/images.yaml",
    "ingest_pipeline/describe.yaml", "search_pipeline/hybrid.yaml",
]  # fmt: skip
BODIES = st.dictionaries(WORDS, trees(LEAVES | WORDS | REFS, WORDS), max_size=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good stack in a folder of its own."""
    return shutil.copytree(BASE, tmp_path_factory.mktemp("checking"), dirs_exist_ok=True)


def loaded(folder: Path, **environ: str) -> Stack:
    return Stack.load(folder / "provision", environ=environ)


@pytest.mark.parametrize("name", FILES)
@given(body=BODIES)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
def test_any_body_is_checked_and_rendered_or_refused_with_words(folder: Path, name: str, body: Any) -> None:
    path = folder / "provision" / name
    good = path.read_text()
    try:
        path.write_text(json.dumps(body), encoding="utf-8")
        loaded(folder, HOME="/home/a").render()
    except SpecError as error:
        assert all(problem.message for problem in error.problems)  # noqa: PT017 - it may also be a good body
    finally:
        path.write_text(good)


def test_bodies_come_in_the_order_in_which_they_are_made_and_say_what_is_not_known_yet(folder: Path) -> None:
    bodies = loaded(folder).render()
    kinds = [address.kind for address in bodies]
    assert kinds[0] == "cluster_settings"
    assert kinds.index("model_group") < kinds.index("model") < kinds.index("ingest_pipeline") < kinds.index("index")
    images = bodies[Address("index", "images")]
    assert images["mappings"]["properties"]["description_vector"]["dimension"] == 384
    assert images["settings"]["index.default_pipeline"] == "describe-v1"
    assert str(bodies[Address("model", "minilm")]["model_group_id"]).endswith("(known after apply)")


def written(folder: Path, tmp_path: Path, name: str, text: str) -> list[str]:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "provision" / name).write_text(text)
    with pytest.raises(SpecError) as raised:
        loaded(tmp_path, ODD="\udcff")
    return [str(problem).replace(f"{tmp_path}/", "") for problem in raised.value.problems]


def test_two_cycles_are_told_and_what_else_is_wrong_in_them(folder: Path, tmp_path: Path) -> None:
    pipelines = tmp_path / "provision" / "ingest_pipeline"
    pipelines.mkdir(parents=True)
    for one, other in ("ab", "ba", "cd"):
        (pipelines / f"{one}.yaml").write_text(
            f'processors: [{{pipeline: {{name: "${{ingest_pipeline/{other}.name}}"}}}}]\n'
        )
    told = written(folder, tmp_path, "ingest_pipeline/d.yaml", "description: 5\nprocessors:\n- pipeline: {name: c}\n")
    assert [each.partition(": ")[0].rpartition("/")[2] for each in told] == [
        "a.yaml:1 processors[0].pipeline.name",
        "c.yaml:1 processors[0].pipeline.name",
        "d.yaml:1 description",
    ]


def test_request_processors_that_are_no_list_are_a_mistake(folder: Path, tmp_path: Path) -> None:
    (told,) = written(folder, tmp_path, "search_pipeline/hybrid.yaml", "request_processors: 5\n")
    assert "search_pipeline/hybrid.yaml:1 request_processors: a whole number (5), expected a list" in told


def test_a_resource_that_needs_itself_is_a_cycle(folder: Path, tmp_path: Path) -> None:
    (told,) = written(
        folder,
        tmp_path,
        "index/images.yaml",
        "aliases:\n  '${x}': {}\n  b: {filter: {term: {a: '${index/images.name}'}}}\n",
    )[1:]
    assert "a cycle of references: index/images -> index/images" in told


def test_a_secret_that_is_no_text_is_refused(folder: Path, tmp_path: Path) -> None:
    (told,) = written(folder, tmp_path, "model_group/encoders.yaml", "name: a\ndescription: ${env.ODD}\n")
    assert told.startswith("provision/model_group/encoders.yaml:2 description: ${env.ODD}: not UTF-8 text")
