"""Policies: what is refused, with which words, and what only has to wait."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from osform.core.address import Address
from osform.errors import PolicyRefused, SpecError
from osform.files.policies import read_policies
from osform.flows.stack import Stack
from tests.flows.memory import MemoryCluster

INDEX = "settings: {number_of_replicas: 0}\nmappings: {properties: {title: {type: text}}}\n"
REPLICAS = """description: ask the search team
environments: prod*
resources: index/*
require:
  settings.number_of_replicas: {at_least: 1}
"""
NO_DELETION = "resources: index/*\nrefuse: {actions: [delete]}\n"


@pytest.fixture
def provision(tmp_path: Path) -> Path:
    folder = tmp_path / "provision"
    for name in ("index", "policies", "environments"):
        (folder / name).mkdir(parents=True)
    (folder / "stack.yaml").write_text("name: words\n")
    (folder / "environments" / "prod.yaml").write_text("")
    (folder / "environments" / "prod.yaml").write_text("{}\n")
    (folder / "index" / "images.yaml").write_text(INDEX)
    return folder


def stack(provision: Path, environment: str = "prod", **policies: str) -> Stack:
    for name, text in policies.items():
        (provision / "policies" / f"{name}.yaml").write_text(text)
    return Stack.load(provision, environment, environ={})


def test_a_resource_that_breaks_a_policy_is_refused_without_a_cluster(provision: Path) -> None:
    with pytest.raises(PolicyRefused) as refused:
        stack(provision, replicas=REPLICAS).check_policies()
    assert refused.value.policies == ("replicas",)
    assert "provision/policies/replicas.yaml:5 policy replicas: index/images: " in refused.value.message
    assert "settings.number_of_replicas is 0, expected at least 1" in refused.value.message
    assert "provision/index/images.yaml:1" in refused.value.message
    assert "ask the search team" in refused.value.message


def test_a_policy_of_another_environment_says_nothing(provision: Path) -> None:
    stack(provision, "default", replicas=REPLICAS).check_policies()


def test_plan_and_apply_refuse_what_breaks_a_policy(provision: Path) -> None:
    broken, cluster = stack(provision, replicas=REPLICAS), MemoryCluster()
    with pytest.raises(PolicyRefused):
        broken.plan(cluster)
    with pytest.raises(PolicyRefused):
        broken.apply(cluster)
    assert cluster.sent == []


def test_a_deletion_that_a_policy_forbids_is_refused_and_nothing_happens(provision: Path) -> None:
    cluster = MemoryCluster()
    guarded = stack(provision, keep=NO_DELETION)
    guarded.apply(cluster)
    with pytest.raises(PolicyRefused, match="policy keep: index/images: its plan is to delete it"):
        guarded.emptied().plan(cluster)
    assert "images-v1" in cluster.indices


def test_a_deletion_of_few_documents_is_not_what_the_policy_means(provision: Path) -> None:
    cluster = MemoryCluster()
    guarded = stack(provision, keep="resources: index/*\nrefuse: {actions: [delete], documents: 100}\n")
    guarded.apply(cluster)
    cluster.counts["images-v1"] = 99
    assert len(guarded.emptied().plan(cluster).changes) == 1
    cluster.counts["images-v1"] = 100
    with pytest.raises(PolicyRefused, match="with 100 documents"):
        guarded.emptied().plan(cluster)


def test_what_a_window_will_allow_is_planned_and_not_applied(provision: Path) -> None:
    cluster = MemoryCluster()
    never = "refuse: {actions: [create], allowed: {from: '00:00', to: '00:00'}}\n"
    waiting = stack(provision, night=never)
    (warning,) = waiting.plan(cluster).warnings
    assert "not now: " in warning
    with pytest.raises(PolicyRefused, match="policy night"):
        waiting.apply(cluster)


@pytest.mark.parametrize(
    ("moment", "open"),
    [
        ("2026-11-21T22:30", True),  # a Saturday
        ("2026-11-22T03:00", True),  # what began on Saturday
        ("2026-11-22T23:00", False),
        ("2026-11-21T03:00", False),
    ],
)
def test_a_window_goes_past_midnight(tmp_path: Path, moment: str, open: bool) -> None:
    path = tmp_path / "night.yaml"
    path.write_text("refuse: {actions: [replace], allowed: {days: [sat], from: '22:00', to: '04:00'}}\n")
    ((policy,), _) = read_policies([path])
    assert policy.refusal is not None
    assert policy.refusal.window is not None
    assert policy.refusal.window.open(datetime.fromisoformat(moment).replace(tzinfo=UTC)) == open


@pytest.mark.parametrize(
    ("rule", "body", "broken"),
    [
        ("{at_most: 2}", {"settings": {"index.number_of_replicas": "3"}}, True),
        ("{equals: true}", {"settings": {"number_of_replicas": True}}, False),
        ("{one_of: [1, 2]}", {"settings": {"index": {"number_of_replicas": 2}}}, False),
        ("{like: [a*]}", {"settings": {"number_of_replicas": "abc"}}, False),
        ("{at_least: 1}", {}, True),
        ("{at_least: 1, or_missing: true}", {}, False),
    ],
)
def test_rules_hold_however_a_setting_is_written(
    tmp_path: Path, rule: str, body: dict[str, object], broken: bool
) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(f"require:\n  settings.number_of_replicas: {rule}\n")
    ((policy,), problems) = read_policies([path])
    assert not problems
    assert bool(list(policy.broken(body))) == broken
    assert policy.concerns("any", Address("index", "a"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("description: d\n", "expected require or refuse"),
        ("refuse: {actions: [explode]}\n", "expected 'create'"),
        ("resources: indx/*\nrefuse: {actions: [delete]}\n", "expected addresses with"),
        ("require: {a: {at_least: 1, at_most: 2}}\n", "exactly one of"),
        ("refuse: {actions: [delete], allowed: {zone: Mars/Phobos}}\n", "time zone that this machine knows"),
        ("refuse: {action: [delete]}\n", "did you mean actions"),
        ("require: {a.b: {at_lest: 1}}\n", "require.a.b.at_lest: unknown key .at_lest.; did you mean at_least"),
        ("require: {a: {like: 3}}\n", "yaml:1 require.a.like: a whole number .3., expected text"),
        ('refuse: {actions: [delete], allowed: {from: "22:00Z"}}\n', "a time of day in quotes, e.g. '22:00'; zone"),
    ],
)
def test_mistakes_in_a_policy_are_found_with_the_stack(provision: Path, text: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        stack(provision, wrong=text)
