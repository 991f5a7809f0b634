"""The limits of the control groups of this process, which containers set: processors and memory.

A container sees all processors and all memory of its host. Its limits are files of control groups (cgroups), in
version 1 or 2 of the kernel's interface, or in both. A group's limit holds for all groups below it, so that the lowest
limit on the way to the root counts. See `cgroups(7)`, and the kernel's documentation of cgroup-v1 and cgroup-v2.

In a container, the root of a mounted hierarchy is usually the container's own group, whatever path the group has on the
host.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path, PurePosixPath

import psutil

ROOT = Path("/")
UNLIMITED = 2**60
"""Limits of memory from this number of bytes on mean none: version 1 writes the largest number of pages."""


@dataclass(frozen=True, slots=True)
class Group:
    """A group that this process belongs to.

    version: the version of the interface: 1 or 2
    mount: the directory of the hierarchy
    path: the group's directory, `mount` or below it
    """

    version: int
    mount: Path
    path: Path

    def upward(self) -> Iterator[Path]:
        """The directories of the group and of all groups above it, as far as they are mounted."""
        yield self.path
        if self.path != self.mount:
            for parent in self.path.parents:
                yield parent
                if parent == self.mount:
                    return


def available_processors(root: Path = ROOT) -> int:
    """The number of processors that this process may use, at least 1: fewer than its machine has, if a limit says so.

    The affinity counts, which `cpuset` limits, and the quota of processor time. A part of a processor counts as a whole
    one: 2.5 processors are 3, because 2 threads would leave a fifth of the time unused.

    `root` is the directory that contains `proc` and `sys`.
    """
    quotas = (quota for group in _groups(root, "cpu") for path in group.upward() if (quota := _quota(group, path)))
    return max(1, min([processors_of_affinity(), *(ceil(quota - 1e-6) for quota in quotas)]))


def processors_of_affinity() -> int:
    """The number of processors on which the kernel may run this process, whatever the quota."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def available_memory(root: Path = ROOT) -> int | None:
    """The bytes of memory that the groups' limits leave free, at least 0; None: there is no limit.

    Of the used memory, the cache of files that were read does not count, because the kernel frees it when needed.
    """
    free = [
        limit - used
        for group in _groups(root, "memory")
        for path in group.upward()
        for limit, used in _memory(group, path)
    ]
    return max(min(free), 0) if free else None


def free_memory() -> int:
    """The bytes of memory that this process may still take: those that are free, or fewer by the groups' limits."""
    free, allowed = int(psutil.virtual_memory().available), available_memory()
    return free if allowed is None else min(free, allowed)


def _quota(group: Group, path: Path) -> float | None:
    """The processors that a group may use on average; None: any number."""
    if group.version == 2:
        words = _words(path / "cpu.max")
        quota, period = (words[0], words[1]) if len(words) == 2 else ("max", "")
    else:
        quota, period = ("".join(_words(path / f"cpu.cfs_{name}_us")) for name in ("quota", "period"))
    if not (quota.isdigit() and period.isdigit() and int(period)):  # "max", or -1: no limit
        return None
    return int(quota) / int(period)


def _memory(group: Group, path: Path) -> Iterator[tuple[int, int]]:
    """Yields the limit and the used bytes of a group that has a limit."""
    names = (
        ("memory.max", "memory.current")
        if group.version == 2
        else (
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
        )
    )
    limit, used = ("".join(_words(path / name)) for name in names)
    if limit.isdigit() and used.isdigit() and int(limit) < UNLIMITED:
        words = _words(path / "memory.stat")
        stated = dict(zip(words[::2], words[1::2], strict=False))
        cache = stated.get("inactive_file" if group.version == 2 else "total_inactive_file", "0")
        yield int(limit), max(int(used) - (int(cache) if cache.isdigit() else 0), 0)


def _groups(root: Path, controller: str) -> Iterator[Group]:
    """The groups of this process in the hierarchies that may limit by this controller."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
        mounts = (root / "proc/self/mountinfo").read_text().splitlines()
    except (OSError, UnicodeDecodeError):  # not Linux
        return
    for line in lines:
        number, _, rest = line.partition(":")
        names, _, own = rest.partition(":")
        version = 2 if number == "0" and not names else 1
        if version == 1 and controller not in names.split(","):
            continue
        for shown, mount in _mounted(mounts, version, controller):
            try:
                below = PurePosixPath(own).relative_to(shown)
            except ValueError:  # the mount shows another part of the hierarchy, for example the container's own group
                below = PurePosixPath()
            directory = root / mount.lstrip("/")
            path = directory / below
            yield Group(version, directory, path if path.is_dir() else directory)


def _mounted(mounts: list[str], version: int, controller: str) -> Iterator[tuple[str, str]]:
    """Yields the group that a mount shows as its root, and the mount's directory; see `proc_pid_mountinfo(5)`."""
    for line in mounts:
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) < 5 or len(kind) < 3:
            continue
        if (version == 2 and kind[0] == "cgroup2") or (
            version == 1 and kind[0] == "cgroup" and controller in kind[2].split(",")
        ):
            yield _unescaped(fields[3]), _unescaped(fields[4])


def _unescaped(field: str) -> str:
    """The field with its spaces, tabs and backslashes, which the kernel writes as octal numbers."""
    return field.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except (OSError, UnicodeDecodeError):
        return []
