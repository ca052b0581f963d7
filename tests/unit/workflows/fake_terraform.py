"""A terraform that plans what $FAKE_PLANS/<stack>.json says, and writes down what it is called for.

$FAKE_PLANS/<stack>.later.json is what a stack would do once any stack is applied.
"""

import json
import os
import shutil
import sys
import zipfile
from pathlib import Path

FOLDER = Path(os.environ["FAKE_PLANS"])
CALLS = FOLDER / "calls"


def main() -> int:
    words = sys.argv[1:]
    stack = Path.cwd().name
    with CALLS.open("a") as file:
        file.write(f"{stack} {words[0]}\n")
    applied = [line for line in CALLS.read_text().splitlines() if line.endswith(" apply")]
    plan = FOLDER / f"{stack}.json"
    later = FOLDER / f"{stack}.later.json"
    if applied and later.exists():
        plan = later
    if words[0] in ("--version", "version"):
        short = "-json" not in words
        print("Terraform v1.11.4" if short else json.dumps({"terraform_version": "1.11.4"}))
    elif words[0] == "plan":
        target = next(word.removeprefix("-out=") for word in words if word.startswith("-out="))
        with zipfile.ZipFile(target, "w") as file:
            file.writestr("tfplan", "")
            file.writestr("tfstate", json.dumps({"lineage": stack, "serial": 1}))
        done = f"{stack} apply" in applied
        return 2 if plan.exists() and not done else 0
    elif words[0] == "show":
        with plan.open() as file:
            shutil.copyfileobj(file, sys.stdout)
    elif words[0] == "workspace":
        print("* default")
    elif words[0] == "output":
        print("{}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
