"""What a container writes, on its way to CloudWatch Logs."""

import datetime
import logging
import os
from pathlib import Path
from typing import Any

from drydock.controllers.ecs.model import Task
from drydock.errors import DrydockError
from drydock.moto import logs

log = logging.getLogger("drydock.ecs")


class ContainerLog:
    """Carries a container's output to CloudWatch Logs.

    ``awslogs`` alone is known; without it the output stays in the file.
    """

    def __init__(self, path: Path, task: Task, container: dict[str, Any]):
        self.path, self._task = path, task
        configuration = container.get("logConfiguration") or {}
        self._wanted = configuration.get("logDriver") == "awslogs"
        options = configuration.get("options") or {}
        self._group = options.get("awslogs-group", "")
        self._region = options.get("awslogs-region") or task.region
        self._create = options.get("awslogs-create-group") == "true"
        prefix = options.get("awslogs-stream-prefix")
        self._stream = f"{prefix}/{container['name']}/{task.id}" if prefix else task.id
        self._offset, self._lines = 0, Lines()

    def open(self) -> None:
        """Makes the stream; DrydockError in AWS's words when there is no such group."""
        if not self._wanted:
            return
        if self._create:
            logs.create_group(self._region, self._group)
        try:
            logs.create_stream(self._region, self._group, self._stream)
        except DrydockError as error:
            raise DrydockError(
                "failed to validate logger args: create stream has been retried 1 times: failed "
                f"to create Cloudwatch log stream: ResourceNotFoundException: {error}"
            ) from None

    def ship(self, *, last: bool = False) -> None:
        """Sends what is new; with ``last`` also a line that was begun and never ended."""
        if not self._wanted:
            return
        content = self._read()
        whole = content if last else content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        events = self._lines.read(whole, last=last)
        try:
            if events:
                logs.put(self._region, self._group, self._stream, events)
        except DrydockError as error:
            log.warning("%s", error)
            self._wanted = False

    def _read(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < self._offset:
                    self._offset = 0  # the file was begun anew at its limit
                file.seek(self._offset)
                return file.read()
        except FileNotFoundError:
            return b""


class Lines:
    """Reads podman's k8s-file format: time, stream, F(ull) or P(artial), text.

    A long line comes in parts, cut between bytes and not between letters.
    """

    def __init__(self) -> None:
        self._begun: dict[bytes, bytes] = {}
        self._at = 0

    def read(self, content: bytes, *, last: bool = False) -> list[tuple[int, str]]:
        """(milliseconds since 1970, message) pairs of whole lines.

        Args:
            last: nothing will follow, so what has begun is whole.
        """
        found = []
        for line in content.split(b"\n"):
            at, _, rest = line.partition(b" ")
            stream, _, rest = rest.partition(b" ")
            kind, _, text = rest.partition(b" ")
            try:
                stamp = datetime.datetime.fromisoformat(at.decode("ascii", "replace"))
            except ValueError:  # cut off where the file was begun anew
                continue
            self._at = int(stamp.timestamp() * 1000)
            text = self._begun.pop(stream, b"") + text
            if kind == b"P":
                self._begun[stream] = text
            else:
                found.append((self._at, text.decode(errors="replace")))
        if last:
            found += [(self._at, text.decode(errors="replace")) for text in self._begun.values()]
        return found
