"""A node's folders, written before each start, and the start itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from osform.errors import LocalClusterError
from osform.local import security, settings
from osform.local.artifacts import Torch
from osform.local.install import Installation
from osform.local.java import Java
from osform.local.machine import Account, make_folder
from osform.local.places import NodePlace
from osform.local.process import Process, began, find
from osform.local.spec import Node, Spec
from osform.local.state import write


def prepare(
    spec: Spec, node: Node, place: NodePlace, secrets: Path, installed: Installation, account: Account | None
) -> None:
    """Write a node's configuration and give it folders that its account owns; its data are left as they are."""
    shutil.rmtree(place.temporary, ignore_errors=True)  # what a node that was killed left there
    make_folder(place.root, account)
    for folder in (place.config, place.data, place.logs, place.temporary):
        folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    distributed = (installed.home / "config/jvm.options").read_text(encoding="utf-8")
    write(place.config / "opensearch.yml", settings.opensearch_yml(spec, node, place))
    write(place.config / "jvm.options", settings.jvm_options(distributed, spec, place))
    write(place.config / "log4j2.properties", settings.log4j2_properties())
    for extra in (installed.home / "config").iterdir():
        if extra.is_dir() and extra.name != "jvm.options.d":  # a plugin's own configuration
            shutil.copytree(extra, place.config / extra.name, dirs_exist_ok=True)
    if spec.secure:
        security.write_into(place.config, secrets)
    if account is not None:
        for folder in (place.config, place.data, place.logs, place.temporary):
            _give(folder, account)


def _give(folder: Path, account: Account) -> None:
    for above, folders, names in os.walk(folder):
        for path in (Path(above), *(Path(above, name) for name in (*folders, *names))):
            os.chown(path, account.uid, account.gid, follow_symlinks=False)


def start(place: NodePlace, installed: Installation, java: Java, torch: Torch, account: Account | None) -> Process:
    """Start a node that lives on when osform ends.

    Raises LocalClusterError where it can't even be started; whether it comes up is another question.
    """
    environment = settings.environment(str(java.home), place, str(installed.torch), torch.version)
    with place.console.open("wb") as console:
        try:
            process = subprocess.Popen(
                [str(installed.home / "bin/opensearch")],
                env=environment,
                cwd=place.temporary,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise LocalClusterError(f"{installed.home / 'bin/opensearch'} can't be started: {error}") from error
    since = began(process.pid)
    process.returncode = 0  # it is meant to outlive this object, which would warn about that when it goes
    if since is None:
        raise LocalClusterError(
            f"the node in {place.root} ended as soon as it was started", hint=f"what it said: {place.console}"
        )
    return Process(process.pid, since)


def unwritten(place: NodePlace) -> Process | None:
    """A node that runs from these folders although nothing says so, since osform was killed as it started it."""
    return find(f"OPENSEARCH_PATH_CONF={place.config}")
