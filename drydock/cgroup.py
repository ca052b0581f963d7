"""What a container uses, from the kernel's control groups: version 1, 2 or a mixture."""

from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
# Limits of containers are kept by these; (version 1, version 2) of each file.
_CPU = ("cpuacct.usage", "cpu.stat")
_MEMORY = ("memory.usage_in_bytes", "memory.current")


@dataclass(frozen=True)
class Cgroup:
    """One container's groups.

    Attributes:
        cpu: the file with its CPU time.
        memory: the folder of its memory group.
    """

    cpu: Path
    memory: Path

    @classmethod
    def of(cls, pid: int, root: Path = _ROOT, proc: Path = Path("/proc")) -> "Cgroup":
        """The groups of a process. Raises OSError when it is gone, or in none with limits."""
        found: dict[str, Path] = {}
        for line in (proc / str(pid) / "cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            # In version 2 one group has all; in a mixture it has no controllers, so no files.
            for folder in (root / controllers, *(root / one for one in controllers.split(","))):
                place = folder / path.lstrip("/")
                for files in (_CPU, _MEMORY):
                    for file in files:
                        if (place / file).exists() and file not in found:
                            found[file] = place / file
        cpu = found.get(_CPU[0]) or found.get(_CPU[1])
        memory = found.get(_MEMORY[0]) or found.get(_MEMORY[1])
        if not cpu or not memory:
            raise FileNotFoundError(f"process {pid} has no CPU and memory group under {root}")
        return cls(cpu, memory.parent)

    def cpu_seconds(self) -> float:
        """CPU time used so far. Raises OSError when the container is gone."""
        text = self.cpu.read_text()
        if self.cpu.name == _CPU[0]:
            return int(text) / 1e9
        return _table(text)["usage_usec"] / 1e6

    def memory_bytes(self) -> int:
        """Memory in use, without files that are only cached, as ``docker stats`` counts and
        ECS reports it. Raises OSError when the container is gone."""
        file = next(self.memory / name for name in _MEMORY if (self.memory / name).exists())
        stat = _table((self.memory / "memory.stat").read_text())
        cached = stat.get("total_inactive_file", stat.get("inactive_file", 0))
        return max(int(file.read_text()) - cached, 0)

    def killed_for_memory(self) -> bool:
        """Whether the kernel has killed for want of memory here.

        podman 4 does not report it under version 1; the group outlives the process for the
        moment that podman needs to clean up.
        """
        for name in ("memory.oom_control", "memory.events"):
            try:
                if _table((self.memory / name).read_text()).get("oom_kill"):
                    return True
            except OSError:
                continue
        return False


def _table(text: str) -> dict[str, int]:
    """Lines of a word and a number."""
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}
