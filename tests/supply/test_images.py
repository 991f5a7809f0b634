"""The Dockerfile, the Compose file and the pinned requirements fit each other, and keep their limits."""

import re
import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.supply import lock

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OWN = {name: each for name, each in SERVICES.items() if "build" in each}


def stages() -> dict[str, str]:
    """The instructions of each stage, with lines joined and without comments."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    text = "\n".join(lines).replace("\\\n", " ")
    parts = re.split(r"^FROM (\S+) AS (\S+)$", text, flags=re.MULTILINE)
    return {parts[at + 1]: f"FROM {parts[at]}\n{parts[at + 2]}" for at in range(1, len(parts), 3)}


def with_parents(stage: str) -> str:
    """The instructions of a stage after those of the stages that it continues."""
    found = stages()
    match = re.match(r"FROM (\S+)", found[stage])
    assert match
    return (with_parents(match[1]) if match[1] in found else "") + found[stage]


def environment(stage: str) -> dict[str, str]:
    return dict(re.findall(r"([A-Z_]+)=(\S+)", " ".join(re.findall(r"^ENV (.*)$", with_parents(stage), re.MULTILINE))))


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_limits(name: str) -> None:
    service = SERVICES[name]
    assert service["mem_limit"] and service["pids_limit"]
    assert service["logging"]["options"].keys() >= {"max-size", "max-file"}
    assert "no-new-privileges:true" in service["security_opt"] and not service.get("privileged")
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert re.fullmatch(r"\S+:[v\d]\S+", service["image"]), "the version is named"
    if name in OWN:
        assert service["read_only"] and service["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_volume_exists(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source = volume.partition(":")[0]
        if source.startswith("./examples/"):
            assert (ROOT / source).exists(), volume
        elif not source.startswith("./"):
            assert source in COMPOSE["volumes"], volume


@pytest.mark.parametrize("name", OWN)
def test_the_server_reads_models_and_a_training_writes_them(name: str) -> None:
    trains = OWN[name].get("entrypoint", [])[1:] == ["train"]
    assert ("./models:/models" if trains else "./models:/models:ro") in OWN[name]["volumes"]
    target = OWN[name]["build"].get("target", "cpu")
    assert target in stages()
    written = environment(target)["TESSERA_SPOOL_DIR"]
    assert trains or any(written.startswith(f"{volume.split(':')[1]}/") for volume in OWN[name]["volumes"])


@pytest.mark.parametrize("name", [name for name in OWN if name.endswith("-gpu")])
def test_compiled_kernels_may_be_executed(name: str) -> None:
    stage = OWN[name]["build"]["target"]
    assert re.search(r"apt-get install.*\bgcc\b.*\blibc6-dev\b", stages()[stage])
    cache = environment(stage)["TRITON_CACHE_DIR"]
    assert any(cache.startswith(f"{volume.split(':')[1]}/") for volume in OWN[name]["volumes"])
    for mount in OWN[name]["tmpfs"]:
        assert not cache.startswith(mount.partition(":")[0] + "/")


def test_the_cluster_is_reached_from_this_machine_by_its_server_only() -> None:
    cluster = {name: each for name, each in SERVICES.items() if "cluster" in each.get("profiles", [])}
    workers = {name: each for name, each in cluster.items() if name.startswith("cluster-worker-")}
    assert cluster.keys() - workers.keys() == {"cluster-head"} and len(workers) == 2
    assert cluster["cluster-head"]["ports"] == ["127.0.0.1:8002:8000"], "neither Ray's port nor its dashboard"
    for name, each in cluster.items():
        assert each["build"]["args"]["EXTRA"] in lock.ADDED and each["init"] is True, name
        assert each["environment"]["RAY_AUTH_MODE"] == "token" and "RAY_AUTH_TOKEN" in each["environment"], name
        assert each["environment"]["FORWARDED_ALLOW_IPS"] == "", name
    for name, each in workers.items():
        assert "--address=cluster-head:6379" in each["entrypoint"] and each["depends_on"] == ["cluster-head"], name
        assert "ports" not in each, name


def test_the_cluster_has_a_replica_on_each_node() -> None:
    head = SERVICES["cluster-head"]
    (command,) = [word for word in head["entrypoint"] if "tessera cluster up" in word]
    assert f"--replicas {sum(name.startswith('cluster-') for name in SERVICES)} " in f"{command} "
    assert f"--processors {head['cpus']}" in command and '--node_address "$$(hostname -i)"' in command


def test_triton_is_only_where_cuda_is() -> None:
    assert "triton" in lock.pinned(ROOT / "requirements/gpu.txt")
    assert not any(
        name.startswith(("triton", "nvidia", "torch")) for name in lock.pinned(ROOT / "requirements/cpu.txt")
    )
    assert "gpu.txt" not in with_parents("build-cpu") and "gcc" not in with_parents("cpu")


def test_stages_are_copied_from_and_end_without_root() -> None:
    found = stages()
    assert list(found)[-1] == "cpu", "the image without a target"
    for name, text in found.items():
        assert set(re.findall(r"--from=(\S+)", text)) <= found.keys(), name
    for name in ("cpu", "gpu"):
        assert re.findall(r"^USER (\S+)$", with_parents(name), re.MULTILINE)[-1] == "10001:10001"


def test_every_copied_file_is_in_the_build_context() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    sent = [line[1:] for line in lines if line.startswith("!")]
    for text in stages().values():
        for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE):
            for source in line.split()[:-1]:
                assert (ROOT / source).exists() and any(fnmatch(source.split("/")[0], each) for each in sent), source


@pytest.mark.parametrize("path", ["requirements/finish.sh", "scripts/check_container.sh"])
def test_the_scripts_can_be_parsed(path: str) -> None:
    first = (ROOT / path).read_text().splitlines()[0]
    shell = shutil.which("bash" if "bash" in first else "sh")
    assert shell and subprocess.run([shell, "-n", str(ROOT / path)], check=False).returncode == 0


def test_the_pinned_requirements_fit_the_project() -> None:
    assert lock.problems() == []


@pytest.mark.parametrize(
    ("file", "before", "after", "sentence"),
    [
        ("cpu.txt", r"^fastapi==", "fastapi-other==", "cpu.txt has no fastapi"),
        ("cpu.txt", r"^numpy==\S+", "numpy==1.0", "cpu.txt has numpy 1.0"),
        ("gpu.txt", r"^pillow==\S+ \\\n(    --hash\S+( \\)?\n)+", "pillow==13.0.0\n", "no hash of pillow"),
        ("torch.txt", r"torch==\S+", "torch==2.0.0", "torch.txt has 2.0.0 torch"),
        ("cpu.txt", r"\A", "triton==3.7.1 --hash=sha256:0\n", "packages for CUDA"),
        ("ray.txt", r"^ray(\[\w+\])?==\S+", "ray==1.0.0", "ray.txt has 1.0.0 ray"),
        ("ray.txt", r"\A", "numpy==2.0.0 --hash=sha256:0\n", "ray.txt has numpy, and so has gpu.txt"),
    ],
)
def test_requirements_that_do_not_fit_are_named(
    file: str, before: str, after: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    path = tmp_path / "requirements" / file
    text, count = re.subn(before, after, path.read_text(), count=1, flags=re.MULTILINE)
    assert count == 1
    path.write_text(text)
    monkeypatch.setattr(lock, "FOLDER", path.parent)
    assert any(sentence in each for each in lock.problems())
