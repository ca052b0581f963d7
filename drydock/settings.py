"""What can be set, from the environment; everything else is derived."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from drydock.errors import DrydockError

ACCOUNT_ID = "123456789012"  # moto's own default account
PROJECT = Path(__file__).resolve().parent.parent


def _port(variable: str, default: int) -> int:
    text = os.environ.get(variable, str(default))
    if not text.isdigit() or not 1024 <= int(text) <= 65535:
        raise DrydockError(f"{variable}={text} is not a port; give a number from 1024 to 65535.")
    return int(text)


def _scale() -> float:
    text = os.environ.get("DRYDOCK_TIME_SCALE", "12")
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not 1 <= scale <= 60:
        raise DrydockError(
            f"DRYDOCK_TIME_SCALE={text} is refused: give 1 (AWS's own time) to 60 (a minute in a "
            "second)."
        )
    return scale


@dataclass(frozen=True)
class Settings:
    """One embedded cloud.

    Attributes:
        home: folder of everything the cloud keeps (``DRYDOCK_HOME``, default ``.drydock``).
        port: where the AWS API answers on 127.0.0.1 (``DRYDOCK_PORT``).
        registry_port: where the image registry answers on 127.0.0.1
            (``DRYDOCK_REGISTRY_PORT``).
        time_scale: how many of AWS's seconds pass in one of ours, where AWS's own clock would
            make people wait: metric and alarm periods, scaling cooldowns
            (``DRYDOCK_TIME_SCALE``).
        region: the region that ``status`` reports; the API itself serves every region.
    """

    home: Path
    port: int
    registry_port: int
    time_scale: float = 12.0
    region: str = "us-east-1"
    account_id: str = ACCOUNT_ID

    @classmethod
    def from_environment(cls) -> "Settings":
        """Reads the settings; raises DrydockError for a value that can't be one."""
        home = Path(os.environ.get("DRYDOCK_HOME", PROJECT / ".drydock")).resolve()
        port = _port("DRYDOCK_PORT", 4566)
        registry = _port("DRYDOCK_REGISTRY_PORT", port + 1)
        if port == registry:
            raise DrydockError(f"DRYDOCK_PORT and DRYDOCK_REGISTRY_PORT are both {port}.")
        return cls(home, port, registry, _scale())

    def scaled(self, seconds: float) -> float:
        """Seconds here that stand for so many of AWS's: 60 s are 5 s at a scale of 12."""
        return seconds / self.time_scale

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def registry(self) -> str:
        return f"127.0.0.1:{self.registry_port}"

    @property
    def tag(self) -> str:
        """Six characters that tell this cloud's parts from another's on the same machine."""
        return hashlib.sha256(str(self.home).encode()).hexdigest()[:6]

    @property
    def audit(self) -> Path:
        """The file of the API calls made (see drydock.audit)."""
        return self.path("log", "audit.jsonl")

    def path(self, *parts: str) -> Path:
        """A path inside home, its folder made (0700: secrets of parts live there)."""
        path = self.home.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    def folder(self, *parts: str) -> Path:
        path = self.home.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path
