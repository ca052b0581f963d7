"""Whether a service keeps to its OpenAPI document: `python contract.py URL [EXCEPTED]`.

schemathesis sends generated requests, right and wrong, to each operation. Run with a Python that
has it; what it found is printed, and the exit code is 1 then.
"""

import re
import subprocess
import sys
import tempfile

# What the APIs made with FastAPI are not held to: If-Match may be missing by their documents, so
# that it is they who say so (428), and their numbers are strict where JSON Schema takes 26.0 for an
# integer; Starlette's Allow names the methods of one route of a path and not of all.
FASTAPI = "positive_data_acceptance,allow_header_conformance"


def findings(url: str, excepted: str = "") -> tuple[int, str]:
    """How many requests were sent, and what was found: "" if nothing.

    Args:
        url: where the document is served.
        excepted: schemathesis's checks that are left out, with commas; "" for none.
    """
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [
                sys.executable, "-m", "schemathesis.cli", "run", url,
                "--phases", "examples,coverage,fuzzing", "--max-examples", "30", "--seed", "1",
                "--checks", "all", *(["--exclude-checks", excepted] if excepted else []),
                "--generation-database", "none", "--suppress-health-check", "all",
                "--continue-on-failure", "--request-timeout", "60", "--no-color",
            ],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
    sent = re.search(r"(\d+) generated", done.stdout)
    return int(sent[1]) if sent else 0, done.stdout + done.stderr if done.returncode else ""


if __name__ == "__main__":
    count, found = findings(*sys.argv[1:])
    sys.exit(found or (0 if count > 100 else f"Only {count} requests were generated."))
