"""The command osform watch, as whoever started it sees its end."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(("options", "status"), [([], 0), (["--once"], 130)])
def test_a_look_that_is_stopped_is_none_that_found_all_well(tmp_path: Path, options: list[str], status: int) -> None:
    (tmp_path / "watch.yaml").write_text("repository: r.git\nstacks: [{provision: provision}]\n")
    command = [sys.executable, "-m", "osform", "watch", "watch.yaml", "--listen", "127.0.0.1:0", "--folder", "mirror"]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        command += ["--cluster", f"http://127.0.0.1:{silent.getsockname()[1]}", *options]
        with (
            subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process,
            silent.accept()[0],  # it has asked something by now, and waits
        ):
            process.terminate()
            process.communicate(timeout=60)
    assert process.returncode == status
