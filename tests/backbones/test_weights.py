import os
import re
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import torch
from safetensors.torch import save, save_file

from app.backbones import SHIPPED_NAMES, ResNet, default_weights, load_weights
from app.backbones.weights import SHIPPED
from app.errors import InvalidWeights

LAYERS = ("layer1", "layer2", "layer3")


@pytest.fixture
def source() -> ResNet:
    return ResNet("resnet18", ("layer1", "layer2"))


def same(first: ResNet, second: ResNet) -> bool:
    state = second.state_dict()
    return all(torch.equal(tensor, state[key]) for key, tensor in first.state_dict().items())


def tensors(backbone: ResNet) -> dict[str, torch.Tensor]:
    """The state of the backbone, and two tensors that only a whole classifier has."""
    return {**backbone.state_dict(), "fc.weight": torch.zeros(10, 512), "layer4.0.conv1.weight": torch.zeros(3)}


def test_safetensors_files_are_loaded_and_deeper_layers_ignored(source: ResNet, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(tensors(source), path)
    backbone = ResNet("resnet18", ("layer1",))
    assert load_weights(backbone, path) == str(path)
    assert same(backbone, source)


@pytest.mark.parametrize("suffix", [".pth", ".pt"])
@pytest.mark.parametrize("prefix", ["", "module.", "model.feature_extractor.feature_extractor."])
def test_torch_files_are_loaded_with_the_prefixes_of_wrappers(
    source: ResNet, tmp_path: Path, suffix: str, prefix: str
) -> None:
    path = tmp_path / f"weights{suffix}"
    torch.save({"state_dict": {prefix + key: tensor for key, tensor in tensors(source).items()}, "epoch": 3}, path)
    backbone = ResNet("resnet18", ("layer2",))
    load_weights(backbone, path)
    assert same(backbone, source)


def test_half_precision_weights_become_single_precision(source: ResNet, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({key: tensor.half() for key, tensor in source.state_dict().items()}, path)
    backbone = ResNet("resnet18", ("layer1",))
    load_weights(backbone, path)
    assert backbone.conv1.weight.dtype == torch.float32
    torch.testing.assert_close(backbone.conv1.weight, source.conv1.weight, rtol=1e-3, atol=1e-4)


class Trap:
    """Stands for a malicious pickle: it creates a directory when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("opened",)


def test_a_file_with_code_is_refused_and_the_code_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"conv1.weight": Trap()}, "weights.pth")
    with pytest.raises(InvalidWeights, match="more than tensors"):
        load_weights(ResNet("resnet18", ("layer1",)), "weights.pth")
    assert not Path("opened").exists()


def test_weights_of_another_architecture_are_refused(source: ResNet, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(tensors(source), path)
    with pytest.raises(InvalidWeights, match=r"layer1\.0\.conv3"):
        load_weights(ResNet("resnet50", ("layer1",)), path)
    with pytest.raises(InvalidWeights, match=r"layer3\.0\.conv1"):
        load_weights(ResNet("resnet18", ("layer3",)), path)
    save_file({**tensors(source), "conv1.weight": torch.zeros(64, 1, 7, 7)}, path)
    with pytest.raises(InvalidWeights, match=r"\[64, 1, 7, 7\].*\[64, 3, 7, 7\]"):
        load_weights(ResNet("resnet18", ("layer1",)), path)


def test_a_file_that_becomes_shorter_while_it_is_read_is_refused(
    source: ResNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(source.state_dict(), path)
    monkeypatch.setattr("app.tensor_files._require_memory", lambda path, size: os.truncate(path, size // 2))
    with pytest.raises(InvalidWeights, match="shorter"):
        load_weights(ResNet("resnet18", ("layer1",)), path)


@pytest.mark.parametrize("content", [b"", b"not weights", b"\x80\x02."])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_files_that_hold_no_weights_are_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    with pytest.raises(InvalidWeights, match=re.escape(path.name)):
        load_weights(ResNet("resnet18", ("layer1",)), path)


def test_a_missing_file_is_not_requested_from_the_hub() -> None:
    with pytest.raises(InvalidWeights, match=r"no file weights/r18\.pth"):
        load_weights(ResNet("resnet18", ("layer1",)), "weights/r18.pth")


def test_weights_of_a_resnet18_come_with_the_program() -> None:
    by_default, by_name = ResNet("resnet18", LAYERS), ResNet("resnet18", LAYERS)
    assert load_weights(by_default) == load_weights(by_name, "tessera_resnet18") == "tessera_resnet18"
    assert same(by_default, by_name)
    assert all(bool(tensor.isfinite().all()) for tensor in by_default.state_dict().values())


def test_shipped_weights_are_small_and_have_a_card() -> None:
    for name in SHIPPED_NAMES.values():
        assert (SHIPPED / f"{name}.safetensors").stat().st_size <= 8e6
        card = (SHIPPED / f"{name}.md").read_text()
        for word in ("Licence", "AUROC", "steps", "hours", "app/synthesis"):
            assert word in card


def test_backbones_without_shipped_weights_use_the_hub() -> None:
    assert default_weights(ResNet("resnet18", ("layer4",))) == "timm/resnet18.a1_in1k"
    assert default_weights(ResNet("resnet34", LAYERS)) == "timm/resnet34.a1_in1k"
    with pytest.raises(InvalidWeights, match="resnet12"):
        default_weights(ResNet("resnet12", LAYERS))
    with pytest.raises(InvalidWeights, match=r"tessera_resnet18.*resnet34"):
        load_weights(ResNet("resnet34", LAYERS), "tessera_resnet18")


@pytest.fixture
def hub(source: ResNet) -> Iterator[str]:
    """A hub on loopback that has `plant/resnet18.a1_in1k` only."""
    content = save(tensors(source))

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            known = self.path == "/plant/resnet18.a1_in1k/resolve/main/model.safetensors"
            self.send_response(200 if known else 404)
            if known:
                self.send_header("Content-Length", str(len(content)))
                self.send_header("ETag", '"0123456789abcdef"')
                self.send_header("X-Repo-Commit", "0" * 40)
            else:
                self.send_header("X-Error-Code", "RepoNotFound")
                self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def from_hub(hub: str, name: str, cache: Path) -> subprocess.CompletedProcess[str]:
    """Loads weights in a new process, because huggingface_hub reads its settings on import."""
    program = (
        "import sys, torch; from app.backbones import ResNet, load_weights; from app.errors import InvalidWeights\n"
        "backbone = ResNet('resnet18', ('layer1',))\n"
        f"try: load_weights(backbone, {name!r}); print(float(backbone.conv1.weight.sum()))\n"
        "except InvalidWeights as error: sys.exit(str(error))"
    )
    environment = {**os.environ, "HF_ENDPOINT": hub, "HF_HOME": str(cache), "HF_HUB_DISABLE_XET": "1"}
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)


def test_weights_are_fetched_from_the_hub_by_name_and_cached(hub: str, source: ResNet, tmp_path: Path) -> None:
    fetched = from_hub(hub, "plant/resnet18.a1_in1k", tmp_path)
    assert fetched.returncode == 0, fetched.stderr
    assert float(fetched.stdout) == pytest.approx(float(source.conv1.weight.detach().sum()))
    kept = from_hub("http://127.0.0.1:9", "plant/resnet18.a1_in1k", tmp_path)
    assert kept.stdout == fetched.stdout


def test_a_name_unknown_to_the_hub_is_refused(hub: str, tmp_path: Path) -> None:
    refused = from_hub(hub, "plant/unknown", tmp_path)
    assert refused.returncode == 1
    assert "plant/unknown" in refused.stderr and "Traceback" not in refused.stderr
