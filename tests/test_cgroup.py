"""Limits of control groups, read from trees of files as the kernel shows them."""

from pathlib import Path

import pytest

import app.cgroup
from app.cgroup import UNLIMITED, available_memory, available_processors

V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate"
GIB = 2**30


def v1(controllers: str, root: str = "/") -> str:
    return f"35 31 0:32 {root} /sys/fs/cgroup/{controllers} rw,nosuid - cgroup cgroup rw,{controllers}"


@pytest.fixture
def processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the machine one of 16 processors."""
    monkeypatch.setattr(app.cgroup, "processors_of_affinity", lambda: 16)


def tree(root: Path, own: list[str], mounts: list[str], files: dict[str, str]) -> Path:
    """A folder with `proc` and `sys`: the groups of this process, the mounts, and files below /sys/fs/cgroup."""
    named = {"proc/self/cgroup": own, "proc/self/mountinfo": ["22 1 8:1 / / rw - ext4 /dev/sda rw", *mounts]}
    contents = {name: "".join(f"{line}\n" for line in lines) for name, lines in named.items()}
    for name, text in {**contents, **{f"sys/fs/cgroup/{name}": text for name, text in files.items()}}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


QUOTAS = [  # groups of the process, mounts, files, processors
    ("v2, in a container", ["0::/"], [V2], {"cpu.max": "200000 100000"}, 2),
    ("v2, on the host", ["0::/a/b"], [V2], {"a/b/cpu.max": "300000 100000"}, 3),
    ("v2, the group above", ["0::/a/b"], [V2], {"a/b/cpu.max": "max 100000", "a/cpu.max": "100000 100000"}, 1),
    ("v2, the lower of two", ["0::/a/b"], [V2], {"a/b/cpu.max": "400000 100000", "a/cpu.max": "500000 100000"}, 4),
    ("v2, a fraction above one", ["0::/"], [V2], {"cpu.max": "250000 100000"}, 3),
    ("v2, a fraction below one", ["0::/"], [V2], {"cpu.max": "20000 100000"}, 1),
    ("v2, another period", ["0::/"], [V2], {"cpu.max": "100000 50000"}, 2),
    ("v2, no quota", ["0::/"], [V2], {"cpu.max": "max 100000"}, 16),
    ("v2, more than the machine", ["0::/"], [V2], {"cpu.max": "9900000 100000"}, 16),
    ("v2, no file", ["0::/"], [V2], {}, 16),
    ("v2, an unreadable quota", ["0::/"], [V2], {"cpu.max": "many 0"}, 16),
    (
        "v2, the path of the host inside a container",
        ["0::/kubepods/pod1/c1"],
        [V2.replace(" / /sys", " /kubepods/pod1/c1 /sys")],
        {"cpu.max": "150000 100000"},
        2,
    ),
    ("v2, a path beside the mounted one", ["0::/../x"], [V2.replace(" / /sys", " /.. /sys")], {"cpu.max": "1 1"}, 1),
    (
        "v1",
        ["4:cpu,cpuacct:/"],
        [v1("cpu,cpuacct")],
        {"cpu,cpuacct/cpu.cfs_quota_us": "200000", "cpu,cpuacct/cpu.cfs_period_us": "100000"},
        2,
    ),
    (
        "v1, docker without its own namespace",
        ["4:cpu,cpuacct:/docker/c1", "3:memory:/docker/c1"],
        [v1("cpu,cpuacct", "/docker/c1"), v1("memory", "/docker/c1")],
        {"cpu,cpuacct/cpu.cfs_quota_us": "350000", "cpu,cpuacct/cpu.cfs_period_us": "100000"},
        4,
    ),
    (
        "v1, the group above",
        ["4:cpu:/a/b"],
        [v1("cpu")],
        {
            "cpu/a/b/cpu.cfs_quota_us": "-1",
            "cpu/a/b/cpu.cfs_period_us": "100000",
            "cpu/a/cpu.cfs_quota_us": "100000",
            "cpu/a/cpu.cfs_period_us": "50000",
        },
        2,
    ),
    ("v1, no quota", ["4:cpu:/"], [v1("cpu")], {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 16),
    (
        "both versions",
        ["4:cpu:/", "0::/"],
        [v1("cpu"), V2.replace("/sys/fs/cgroup", "/sys/fs/cgroup/unified")],
        {"cpu/cpu.cfs_quota_us": "700000", "cpu/cpu.cfs_period_us": "100000", "unified/cgroup.procs": ""},
        7,
    ),
]


@pytest.mark.parametrize(
    ("own", "mounts", "files", "expected"), [each[1:] for each in QUOTAS], ids=[q[0] for q in QUOTAS]
)
def test_the_quota_limits_processors(
    own: list[str], mounts: list[str], files: dict[str, str], expected: int, tmp_path: Path, processors: None
) -> None:
    assert available_processors(tree(tmp_path, own, mounts, files)) == expected


def test_the_affinity_limits_processors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree(tmp_path, ["0::/"], [V2], {"cpu.max": "800000 100000"})
    monkeypatch.setattr(app.cgroup, "processors_of_affinity", lambda: 2)
    assert available_processors(root) == 2


def test_without_control_groups_nothing_is_limited(tmp_path: Path, processors: None) -> None:
    assert available_processors(tmp_path) == 16
    assert available_memory(tmp_path) is None


V1_MEMORY = {"memory/memory.limit_in_bytes": f"{4 * GIB}", "memory/memory.usage_in_bytes": f"{GIB}"}
MEMORY = [
    ("v2", ["0::/"], [V2], {"memory.max": f"{2 * GIB}", "memory.current": f"{GIB}"}, GIB),
    ("v2, no limit", ["0::/"], [V2], {"memory.max": "max", "memory.current": f"{GIB}"}, None),
    (
        "v2, cached files",
        ["0::/"],
        [V2],
        {"memory.max": f"{2 * GIB}", "memory.current": f"{2 * GIB}", "memory.stat": f"anon 5\ninactive_file {GIB}\n"},
        GIB,
    ),
    (
        "v2, the group above is fuller",
        ["0::/a/b"],
        [V2],
        {
            "a/b/memory.max": f"{2 * GIB}",
            "a/b/memory.current": "0",
            "a/memory.max": f"{3 * GIB}",
            "a/memory.current": f"{5 * GIB // 2}",
        },
        GIB // 2,
    ),
    ("v2, over its limit", ["0::/"], [V2], {"memory.max": f"{GIB}", "memory.current": f"{2 * GIB}"}, 0),
    ("v1", ["3:memory:/"], [v1("memory")], V1_MEMORY, 3 * GIB),
    (
        "v1, cached files",
        ["3:memory:/"],
        [v1("memory")],
        {**V1_MEMORY, "memory/memory.stat": f"inactive_file 0\ntotal_inactive_file {GIB}\n"},
        4 * GIB,
    ),
    (
        "v1, no limit",
        ["3:memory:/"],
        [v1("memory")],
        {**V1_MEMORY, "memory/memory.limit_in_bytes": f"{UNLIMITED * 7}"},
        None,
    ),
    ("v1, the path of the host", ["3:memory:/docker/c1"], [v1("memory", "/docker/c1")], V1_MEMORY, 3 * GIB),
]


@pytest.mark.parametrize(
    ("own", "mounts", "files", "expected"), [each[1:] for each in MEMORY], ids=[m[0] for m in MEMORY]
)
def test_the_limit_of_memory_leaves_free_what_is_not_used(
    own: list[str], mounts: list[str], files: dict[str, str], expected: int | None, tmp_path: Path
) -> None:
    assert available_memory(tree(tmp_path, own, mounts, files)) == expected
