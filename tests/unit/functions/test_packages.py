"""The archives in the repository are their sources, byte for byte."""

import io
import sys
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
sys.path.insert(0, str(PROJECT / "scripts"))
from function_packages import FUNCTIONS, archive  # noqa: E402

NAMES = sorted(path.name for path in FUNCTIONS.iterdir() if (path / "index.py").exists())


@pytest.mark.parametrize("name", NAMES)
def test_the_archive_is_its_source(name):
    stale = f"functions/{name}.zip is not its source: run python scripts/function_packages.py"
    assert (FUNCTIONS / f"{name}.zip").read_bytes() == archive(FUNCTIONS / name), stale


def test_no_archive_is_without_a_source():
    assert NAMES and sorted(path.stem for path in FUNCTIONS.glob("*.zip")) == NAMES


def test_a_changed_source_makes_another_archive(tmp_path):
    (tmp_path / "index.py").write_text("A = 1\n")
    first = archive(tmp_path)
    assert zipfile.ZipFile(io.BytesIO(first)).read("index.py") == b"A = 1\n"
    (tmp_path / "index.py").write_text("A = 2\n")
    assert archive(tmp_path) != first
