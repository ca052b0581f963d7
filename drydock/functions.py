"""Runs a Lambda function's code: one Python process for each call, with the archive unpacked."""

import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

# The function's own output is its log; its result goes into a file beside the code.
_BOOT = """
import importlib, json, sys
sys.path.insert(0, "code")
module, _, name = sys.argv[1].rpartition(".")
result = getattr(importlib.import_module(module), name)(json.load(sys.stdin), None)
with open("result", "w") as file:
    json.dump(result, file)
"""


@dataclass(frozen=True)
class Outcome:
    """What a call came to.

    Attributes:
        result: JSON of what the handler returned, or of Lambda's error object.
        failed: whether it raised, or was stopped at its time-out.
        log: what it wrote, to both standard output and error.
    """

    result: str
    failed: bool
    log: str


def run(
    archive: bytes, handler: str, event: object, environment: dict[str, str], timeout: float
) -> Outcome:
    """Calls the handler once.

    Args:
        archive: the function's zip.
        handler: ``module.function``.
        event: what the handler is given; its second argument, the context, is None.
        environment: all that the process gets besides the interpreter's path.
        timeout: seconds until it is killed.
    """
    with tempfile.TemporaryDirectory(prefix="drydock-function-") as name:
        folder = Path(name)
        with zipfile.ZipFile(io.BytesIO(archive)) as packed:
            packed.extractall(folder / "code")
        try:
            done = subprocess.run(
                [sys.executable, "-c", _BOOT, handler],
                cwd=folder,
                env={"PATH": os.environ.get("PATH", ""), "PYTHONDONTWRITEBYTECODE": "1"}
                | environment,
                input=json.dumps(event),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            log = (error.stdout or b"").decode(errors="replace")
            return _failure("Sandbox.Timedout", f"Task timed out after {timeout} seconds", log)
        if done.returncode:
            lines = done.stdout.strip().splitlines()
            return _failure("Unhandled", lines[-1] if lines else "no output", done.stdout)
        return Outcome((folder / "result").read_text(), False, done.stdout)


def _failure(kind: str, message: str, log: str) -> Outcome:
    return Outcome(json.dumps({"errorType": kind, "errorMessage": message}), True, log)
