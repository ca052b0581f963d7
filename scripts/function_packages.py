"""Writes functions/<name>.zip from functions/<name>/, the archives that Lambda is given.

    python scripts/function_packages.py

The archives are in the repository, so that a plan needs no build and shows the very code that was
reviewed. They are the same bytes wherever they are made (files in order, stored as they are, no
dates); a unit test holds them against their sources.
"""

import io
import zipfile
from pathlib import Path

FUNCTIONS = Path(__file__).resolve().parent.parent / "functions"


def archive(folder: Path) -> bytes:
    """The zip archive of a folder's Python files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as target:
        for path in sorted(folder.rglob("*.py")):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix())
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            target.writestr(entry, path.read_bytes())
    return made.getvalue()


def main() -> None:
    for folder in sorted(path for path in FUNCTIONS.iterdir() if (path / "index.py").exists()):
        folder.with_suffix(".zip").write_bytes(archive(folder))


if __name__ == "__main__":
    main()
