"""What is installed is what runs from the repository: data files travel with the package, from an archive too."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parent.parent
DATA = {
    str(path.relative_to(ROOT / "src"))
    for path in (ROOT / "src" / "osform").rglob("*")
    if path.is_file() and path.suffix not in (".py", ".pyc")
} | {f"osform/starter/models/all-MiniLM-L6-v2/{name}" for name in ("model.yaml", "lock.yaml", "probes.txt")}


def wheel(source: Path, folder: Path) -> set[str]:
    """The names of the files in a wheel that is built from a folder."""
    (path,) = WheelBuilder(str(source)).build(directory=str(folder), versions=["standard"])
    with zipfile.ZipFile(path) as file:
        return set(file.namelist())


def unpacked(folder: Path) -> Path:
    """A source archive of the repository, made and unpacked."""
    (path,) = SdistBuilder(str(ROOT)).build(directory=str(folder))
    with tarfile.open(path) as file:
        file.extractall(folder, filter="data")
    return next(each for each in folder.iterdir() if each.is_dir())


@pytest.mark.parametrize("archived", [False, True], ids=["from the repository", "from an archive"])
def test_a_wheel_has_every_data_file_of_the_package(tmp_path: Path, archived: bool) -> None:
    source = unpacked(tmp_path) if archived else ROOT
    assert wheel(source, tmp_path) >= DATA
    assert "osform/starter/provision/stack.yaml" in DATA
