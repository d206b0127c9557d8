"""A load through a network that drops, refuses and stalls, with its model taken away and the program killed midway."""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from osform.cluster.client import Cluster
from osform.core.request import Request
from tests import tiny
from tests.live.load import everything
from tests.live.stacks import Project, lay_out
from tests.proxy import Action, Answer, Call, Cut, Proxy, Script, Stall, each, nth

LOG = logging.getLogger(__name__)
WORDS = ("a cat on a sofa", "the old harbour", "coffee and bread", "a dog and snow", "the street in the morning")
PRICE = "    text:\n      type: text\n"
SIZES = [
    pytest.param(300, 10, 0.3, id="a sample"),
    pytest.param(10_000, 50, 40.0, id="all of it", marks=pytest.mark.soak),  # longer than an answer is waited for
]


@pytest.fixture(scope="module")
def stack(live_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A small stack whose index has a number as well."""
    project = lay_out(tmp_path_factory.mktemp("stack"), live_url, tiny.build(tmp_path_factory.mktemp("tiny")))
    project.edit("index/NAME", PRICE, "    price: {type: integer}\n" + PRICE)
    applied = project.apply()
    assert applied.status == 0, applied.err
    yield project
    assert project.take_away().status == 0


def faulty(seed: int, stall: float) -> Script:
    """Of a hundred requests 5 are dropped, before or after the server acted, 5 get a 429, 2 a 503, and 1 is late."""
    chance, lock = random.Random(seed), threading.Lock()

    def script(_call: Call) -> Action | None:
        with lock:
            luck = chance.random()
        if luck < 0.05:
            return Cut(after=luck < 0.025)
        if luck < 0.10:
            return Answer(429)
        if luck < 0.12:
            return Answer(503)
        return Stall(stall) if luck < 0.13 else None

    return script


def rows(count: int) -> list[dict[str, Any]]:
    """Rows of which every 50th has a blank text, and every 10th that of another one."""
    same = [n - 3 if n % 10 == 3 else n for n in range(count)]
    texts = [" " if n % 50 == 7 else f"{WORDS[m % 5]} {m}" for n, m in enumerate(same)]
    return [{"id": f"r{n}", "price": n, "text": text} for n, text in enumerate(texts)]


def poisoned(path: Path, good: list[dict[str, Any]]) -> str:
    """A file with four rows among the good ones that can't be indexed."""
    lines = [json.dumps(row).encode() for row in good]
    poison = (
        json.dumps({"id": "type", "price": "many", "text": "a cat"}).encode(),
        json.dumps({"id": "x" * 600, "price": 1, "text": "a dog"}).encode(),
        b'{"id": "utf", "price": 1, "text": "caf\xe9"}',
        json.dumps({"id": "long", "price": 1, "text": "snow " * 600_000}).encode(),
    )
    for n, line in enumerate(poison, start=1):
        lines.insert(n * len(lines) // 5, line)
    path.write_bytes(b"\n".join(lines) + b"\n")
    return str(path)


def mended(letters: Path, path: Path) -> str:
    """The dead-letter file as somebody repairs it."""
    text = letters.read_text().replace('"many"', "5").replace("x" * 600, "short").replace("\\\\xe9", "é")
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        if line.get("_id") == "long":
            line["document"]["text"] = "snow"
        if "text" in line:
            line["text"] = '{"id": "utf", "price": 1, "text": "caf"}'
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def command(stack: Project, tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "osform", "ingest", *words, "--into", stack.name, "--format", "json"],
        text=True, stderr=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path,
        env={**os.environ, "OSFORM_STATE": str(tmp_path / "state")},
    )  # fmt: skip


def empty(stack: Project) -> None:
    """Take away what the test before has left."""
    cluster = Cluster(stack.url)
    every_one: dict[str, Any] = {"query": {"match_all": {}}}
    cluster.send(Request("POST", f"/{stack.name}/_delete_by_query", every_one, {"refresh": "true"}))
    cluster.close()


def undeploy(stack: Project) -> None:
    """Take the model away behind everybody's back."""
    cluster = Cluster(stack.url)
    pipeline = cluster.send(Request("GET", f"/_ingest/pipeline/{stack.name}-pipeline"))
    model = pipeline[f"{stack.name}-pipeline"]["processors"][0]["text_embedding"]["model_id"]
    cluster.send(Request("POST", f"/_plugins/_ml/models/{model}/_undeploy"))
    cluster.close()


def wrong(stack: Project, good: list[dict[str, Any]]) -> list[str]:
    """What is not as the rows say, in the index."""
    cluster = Cluster(stack.url)
    cluster.send(Request("POST", f"/{stack.name}/_refresh"))
    found = everything(cluster, stack.name)
    cluster.close()
    problems = [f"lost: {row['id']}" for row in good if row["id"] not in found]
    problems += [f"too many: {id}" for id in found.keys() - {row["id"] for row in good}]
    for row in good:
        source = dict(found.get(row["id"], {}))
        vector = source.pop("vector", None)
        # OpenSearch 2 refuses a blank text to embed, and is sent null in its place.
        if source and source != row and (row["text"].strip() or source != {**row, "text": None}):
            problems.append(f"otherwise: {source}")
        if (vector is not None) != bool(row["text"].strip()):
            problems.append(f"vector: {row}")
    return problems


@pytest.mark.parametrize(("count", "batch", "stall"), SIZES)
def test_every_row_is_there_once_whatever_happens_on_the_way(
    stack: Project, tmp_path: Path, count: int, batch: int, stall: float
) -> None:
    empty(stack)
    good = rows(count)
    file = poisoned(tmp_path / "rows.jsonl", good)
    running: list[subprocess.Popen[str]] = []
    middle = count // batch // 3

    def take_away(_call: Call) -> None:
        undeploy(stack)

    def kill(_call: Call) -> None:
        running[0].send_signal(signal.SIGKILL)

    script = each(nth(middle, take_away, path="_bulk"), nth(2 * middle, kill, path="_bulk"), faulty(count, stall))
    with Proxy(stack.url, script) as proxy:
        running.append(
            command(stack, tmp_path, file, "--batch", str(batch), "--patience", "90", "--cluster", proxy.url)
        )
        running[0].communicate(timeout=600)
        assert running[0].returncode == -signal.SIGKILL
        second = command(stack, tmp_path, file, "--batch", str(batch), "--patience", "90", "--cluster", proxy.url)
        out, err = second.communicate(timeout=900)
    assert second.returncode == 3, err
    done = json.loads(out)
    LOG.info("%s requests, %s", len(proxy.requests), out)
    assert (done["read"], done["indexed"], done["failed"], done["without_vector"]) == (count + 4, count, 4, 0)
    assert done["created"] < count
    assert wrong(stack, good) == []
    letters = Path(tmp_path / done["dead_letter"])
    reasons = " ".join(json.loads(line)["_dead_letter"]["reason"] for line in letters.read_text().splitlines())
    for words in (
        "failed to parse field [price]",
        "an id has at most 512",
        "not UTF-8: byte 0xe9",
        "letters, more than",
    ):
        assert words in reasons
    replayed = command(stack, tmp_path, mended(letters, tmp_path / "mended.jsonl"), "--cluster", stack.url)
    out, err = replayed.communicate(timeout=120)
    assert (replayed.returncode, json.loads(out)["created"]) == (0, 4), err
