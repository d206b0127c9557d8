"""Small stacks for live tests: every kind, resources with names of their own, and a tiny real model."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from osform.cluster.client import Cluster
from osform.core.events import Report, silent
from osform.core.models import Bundle, ModelLock, Probe
from osform.core.plan import Plan
from osform.files import bundles, locks
from osform.flows.stack import Stack
from tests.live import warm
from tests.tiny import DIMENSION, Tiny

MODEL_YAML = "source: {path: weights}\nexports: {onnx: [fp32]}\nspace_type: cosinesimil\n"

FILES = {
    "stack.yaml": "name: NAME\nvariables: {replicas: 0}\n",
    "environments/other.yaml": "replicas: 1\n",
    "cluster_settings/ml.yaml": ("persistent:\n  plugins.ml_commons.allow_registering_model_via_local_file: true\n"),
    "model_group/NAME.yaml": "description: a test\n",
    "model/NAME.yaml": (
        "model: tiny\nformat: onnx\ngroup: ${model_group/NAME.model_group_id}\ndescription: a bag of words\n"
    ),
    "ingest_pipeline/NAME-pipeline.yaml": (
        "description: embeds text\n"
        "processors:\n"
        "  - text_embedding:\n"
        "      model_id: ${model/NAME.model_id}\n"
        "      field_map: {text: vector}\n"
        "      batch_size: 4\n"
    ),
    "search_pipeline/NAME-hybrid.yaml": (
        "phase_results_processors:\n"
        "  - normalization-processor:\n"
        "      normalization: {technique: min_max}\n"
        "      combination: {technique: arithmetic_mean}\n"
    ),
    "index/NAME.yaml": (
        "settings:\n"
        "  index:\n"
        "    knn: true\n"
        "    number_of_replicas: ${var.replicas}\n"
        "    default_pipeline: ${ingest_pipeline/NAME-pipeline.name}\n"
        "mappings:\n"
        "  properties:\n"
        "    text:\n"
        "      type: text\n"
        "      fields:\n"
        "        keyword: {type: keyword, ignore_above: 256}\n"
        "    vector:\n"
        "      type: knn_vector\n"
        "      dimension: ${model/NAME.dimension}\n"
        "      method: {name: hnsw, engine: lucene, space_type: cosinesimil, parameters: {m: 8, ef_construction: 64}}\n"
    ),
}


@dataclass(frozen=True)
class Ran:
    """What the command line answered."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Project:
    """A folder with provision/, models/ and a cache of bundles, and the command line run on it.

    ``forked``: commands are forks of a process that has imported osform; else they are started as a user does.
    """

    root: Path
    url: str
    name: str
    environ: dict[str, str] = field(default_factory=dict)
    own_cache: bool = True
    forked: bool = True

    def path(self, address: str) -> Path:
        """The file of a resource, ``index/NAME`` say."""
        return self.root / "provision" / f"{address.replace('NAME', self.name)}.yaml"

    def edit(self, address: str, old: str, new: str) -> None:
        """Replace a text of a resource's file, which must be there."""
        text = self.path(address).read_text()
        assert old in text
        self.path(address).write_text(text.replace(old, new))

    def command(self, *words: str, url: str | None = None) -> tuple[list[str], dict[str, str]]:
        """A command line and its environment."""
        if "--cluster" in words:  # by the environment in every case: it may have a password in it
            at = words.index("--cluster")
            words, url = words[:at] + words[at + 2 :], words[at + 1]
        command = [sys.executable, "-m", "osform", *words]
        cache = {"OSFORM_CACHE": str(self.root / "cache")} if self.own_cache else {}
        if url or words[0] in ("plan", "apply", "drift", "destroy", "import", "rollback", "status"):
            cache["OSFORM_CLUSTER"] = url or self.url
        return command, os.environ | cache | self.environ

    def run(self, *words: str, url: str | None = None) -> Ran:
        """Run ``osform`` in the project's folder."""
        command, environ = self.command(*words, url=url)
        if self.forked:
            _python, _module, _osform, *typed = command
            return Ran(*warm.run(typed, self.root, environ))
        done = subprocess.run(
            command, cwd=self.root, env=environ, capture_output=True, text=True, timeout=300, check=False
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def plan(self, *words: str) -> Ran:
        """``osform plan``, as JSON and with an exit status of 2 where there are changes."""
        return self.run("plan", "--detailed-exitcode", "--format", "json", *words)

    def apply(self, *words: str, url: str | None = None) -> Ran:
        """``osform apply`` without being asked."""
        return self.run("apply", "--yes", *words, url=url)

    def empty(self) -> None:
        """Remove the files of all resources."""
        for folder in (self.root / "provision").iterdir():
            if folder.is_dir() and folder.name != "environments":
                shutil.rmtree(folder)

    def take_away(self, *words: str) -> Ran:
        """Delete everything of this stack from the cluster, by removing its files."""
        self.empty()
        return self.apply("--force", *words)


@dataclass
class Files:
    """A folder of resources, planned and applied in this process. NAME in it stands for a name of the test's own."""

    root: Path
    cluster: Cluster
    worker: Cluster
    environ: dict[str, str] = field(default_factory=dict)
    name: str = field(default_factory=lambda: f"k{uuid.uuid4().hex[:8]}")

    def write(self, address: str, text: str) -> None:
        """Write a resource's file, or ``stack``."""
        path = self.path(address)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("NAME", self.name))

    def path(self, address: str) -> Path:
        """The file of a resource."""
        return self.root / f"{address.replace('NAME', self.name)}.yaml"

    def edit(self, address: str, old: str, new: str) -> None:
        """Replace a text of a resource's file, which must be there."""
        old, text = old.replace("NAME", self.name), self.path(address).read_text()
        assert old in text
        self.write(address, text.replace(old, new))

    def plan(self) -> Plan:
        """What an apply would do."""
        return Stack.load(self.root, environ=self.environ).plan(self.worker)

    def apply(self, report: Report = silent) -> None:
        """Do it; raises what went wrong on the way."""
        Stack.load(self.root, environ=self.environ).apply(self.worker, force=True, report=report).check()

    def take_away(self) -> None:
        """Delete everything of this stack, by removing its files."""
        for folder in self.root.iterdir():
            if folder.is_dir():
                shutil.rmtree(folder)
        self.apply()


def lay_out(root: Path, url: str, model: Tiny) -> Project:
    """Write a small stack of every kind into ``root``, its model's bundle in its own cache."""
    project = Project(root, url, f"t{uuid.uuid4().hex[:8]}")
    for name, text in FILES.items():
        path = root / "provision" / name.replace("NAME", project.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("NAME", project.name))
    add_model(project, "tiny", model)
    return project


def add_model(project: Project, name: str, model: Tiny) -> None:
    """Lay a tiny model beside the stack, its bundle in the project's cache."""
    folder = project.root / "models" / name
    folder.mkdir(parents=True)
    (folder / "model.yaml").write_text(MODEL_YAML)
    (folder / "probes.txt").write_text("a cat on a sofa\n")
    made = shutil.copy(model.bundle, project.root / "copy.zip")
    sha256, path = bundles.store(project.root / "cache", Path(made))
    config = model.meta("", "")["model_config"]
    bundle = Bundle(
        "onnx", "fp32", sha256, path.stat().st_size, "TEXT_EMBEDDING", config, 1.0, 1.0, {"made": "by hand"}
    )
    probes = tuple(Probe(text, vector) for text, vector in model.probes)
    lock = ModelLock(name, "0" * 64, DIMENSION, 128, "cosinesimil", (bundle,), probes)
    locks.write_lock(folder / "lock.yaml", lock)
