"""The normal patches that a training keeps, with their pictures and places."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from app.artifacts import Artifact, ModelRepository, load_artifact
from app.artifacts.evidence import PREFIX, evidence_tensors, read_evidence, without_evidence
from app.data import Folder
from app.detectors import Detector, Fusion, Padim, Patchcore, Stfpm, Subspace, with_thumbnail
from app.errors import InvalidArtifact, InvalidParameter
from app.pipeline import Grid, NormalPatches, TiledModel, patches_of
from app.progress import silent
from app.tensor_files import read_tensors
from app.tiling import Tiling
from app.training import Recipe, TrainerOptions, plan_training, train
from app.training import evidence as module
from app.training.evidence import small_copy
from tests.conftest import draw_surface

CPU = torch.device("cpu")
LAYERS = ("layer1", "layer2")
TILING = Tiling(tile_size=64, stride=32)
DETECTORS: dict[str, Callable[[], Detector]] = {
    "patchcore": lambda: Patchcore("resnet18", LAYERS, False, 0.05),
    "patchcore, float16, whitened": lambda: Patchcore(
        "resnet18", LAYERS, False, 0.05, precision="float16", whitening=True
    ),
    "patchcore, small store": lambda: Patchcore("resnet18", LAYERS, False, 0.05, max_store_mib=1),
    "padim": lambda: Padim("resnet18", LAYERS, False, n_features=8),
    "subspace": lambda: Subspace("resnet18", LAYERS, False),
    "fusion": lambda: Fusion(
        "resnet18", LAYERS, options={"patchcore": {"coreset_sampling_ratio": 0.05}}, pre_trained=False
    ),
    "stfpm": lambda: Stfpm("resnet18", LAYERS, False),
}


@pytest.fixture(scope="module")
def surfaces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("surfaces")
    for number in range(5):
        Image.fromarray(draw_surface(number)).save(folder / f"{number}.png")
    return folder


def trained(
    surfaces: Path,
    target: Path,
    kind: str,
    tiling: Tiling = TILING,
    image_size: tuple[int, int] | None = None,
    copies_mib: int = 8,
) -> Artifact:
    torch.manual_seed(0)
    detector: Detector = with_thumbnail(DETECTORS[kind](), tiling)
    data = Folder(str(surfaces), num_workers=0, image_size=image_size)
    options = TrainerOptions(max_epochs=1)
    recipe = Recipe(detector, data, tiling, seed=0, trainer=options, assess=False, copies_mib=copies_mib)
    repository = ModelRepository(target)
    return load_artifact(train(recipe, plan_training(recipe, CPU), repository, "surface", CPU, silent))


def picture(path: Path) -> Tensor:
    return torch.from_numpy(draw_surface(int(path.stem))).permute(2, 0, 1).contiguous()


def patches_at_sources(model: TiledModel, normal: NormalPatches, folder: Path) -> Tensor:
    """The patches that the pictures have at the places of the evidence, [n,C]."""
    found: dict[int, Tensor] = {}
    for number, name in enumerate(normal.names):
        image = picture(folder / name)
        grid = Grid.of(model, (image.shape[1], image.shape[2]))
        own = (normal.pictures == number).nonzero()[:, 0]
        cells = torch.tensor([grid.cell((row, column)) for row, column in normal.places[own].tolist()])
        prepared = model.prepare(image)
        patches = patches_of(model, prepared, model.outputs(prepared), cells.view(-1, 2))
        found |= dict(zip(own.tolist(), patches, strict=True))
    return torch.stack([found[number] for number in range(len(normal.pictures))])


def require_true_sources(artifact: Artifact, folder: Path) -> None:
    model, normal = artifact.model, artifact.evidence
    assert normal is not None
    assert set(normal.names) <= {path.name for path in folder.iterdir()}
    assert set(normal.sizes) == {(96, 160)}
    kept = normal.of(model.detector).float()
    expected = patches_at_sources(model, normal, folder)
    scale = expected.norm(dim=1).mean()
    assert len(kept) >= 100
    assert float((kept - expected).norm(dim=1).max()) < 0.01 * float(scale)
    others = expected.roll(1, 0)  # so that the test can fail: other places have other patches
    assert float((kept - others).norm(dim=1).median()) > 0.05 * float(scale)


@pytest.mark.parametrize("kind", DETECTORS)
def test_each_normal_patch_is_that_of_its_picture_at_its_place(surfaces: Path, tmp_path: Path, kind: str) -> None:
    artifact = trained(surfaces, tmp_path, kind)
    require_true_sources(artifact, surfaces)
    level = artifact.manifest.calibration.normal_level
    assert level is not None and 0 < level < 2 * artifact.calibration.pixel_threshold


def test_places_are_pixels_of_pictures_before_they_are_resized(surfaces: Path, tmp_path: Path) -> None:
    artifact = trained(surfaces, tmp_path, "patchcore", image_size=(64, 128))
    require_true_sources(artifact, surfaces)
    assert artifact.evidence is not None
    assert artifact.evidence.places[:, 0].max() > 64 and artifact.evidence.places[:, 1].max() > 128


def test_a_model_with_a_thumbnail_keeps_patches_of_its_tiles(surfaces: Path, tmp_path: Path) -> None:
    require_true_sources(trained(surfaces, tmp_path, "subspace", replace(TILING, thumbnail=True)), surfaces)


def test_pictures_that_are_not_tiled_have_sources(surfaces: Path, tmp_path: Path) -> None:
    require_true_sources(trained(surfaces, tmp_path, "patchcore", Tiling(enable=False)), surfaces)


def test_small_copies_show_their_pictures_and_keep_the_limit(
    surfaces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COPIED_PICTURES", 3)
    normal = trained(surfaces, tmp_path, "patchcore", copies_mib=1).evidence
    assert normal is not None and len(normal.names) == 5
    copies = [copy for copy in normal.reduced if copy is not None]
    assert len(copies) == 3 and sum(map(len, copies)) <= 2**20
    for name, copy in zip(normal.names, normal.reduced, strict=True):
        if copy is not None:
            shown = torch.from_numpy(np.asarray(Image.open(io.BytesIO(copy)).convert("RGB")).astype(np.float32))
            own = picture(Path(name)).permute(1, 2, 0).float()
            assert float((shown - own).abs().mean()) < 5  # the noise of another picture differs by more


def test_a_copy_is_made_smaller_until_it_fits() -> None:
    noise = torch.randint(0, 256, (3, 400, 800), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for most in (20_000, 4000):
        copy = small_copy(noise, most)
        assert copy is not None and len(copy) <= most
        width, height = Image.open(io.BytesIO(copy)).size
        assert width / height == pytest.approx(2, rel=0.1)
    assert small_copy(noise, 100) is None
    deep = small_copy((noise.to(torch.int32) * 257).to(torch.uint16), 20_000)
    assert deep is not None and Image.open(io.BytesIO(deep)).mode == "RGB"


def test_a_training_without_copies_keeps_names_and_places(surfaces: Path, tmp_path: Path) -> None:
    normal = trained(surfaces, tmp_path, "patchcore", copies_mib=0).evidence
    assert normal is not None and set(normal.reduced) == {None} and len(normal.places) > 0


@pytest.mark.parametrize("copies_mib", [-1, 1025])
def test_a_limit_that_cannot_be_is_refused(surfaces: Path, copies_mib: int) -> None:
    recipe = Recipe(DETECTORS["patchcore"](), Folder(str(surfaces)), TILING, copies_mib=copies_mib)
    with pytest.raises(InvalidParameter, match=f"copies_mib is {copies_mib}; use 0 .* to 1024 MiB"):
        plan_training(recipe, CPU)


def test_the_sample_keeps_its_limit(surfaces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SAMPLE_BYTES", 200_000)
    monkeypatch.setattr(module, "SAMPLE_PICTURES", 2)
    artifact = trained(surfaces, tmp_path, "subspace")
    assert artifact.evidence is not None and artifact.evidence.patches is not None
    assert 100_000 < artifact.evidence.patches.nbytes <= 200_000
    assert artifact.evidence.names == ("0.png", "2.png")


def test_evidence_survives_the_artifact(explained_dir: Path) -> None:
    artifact = load_artifact(ModelRepository(explained_dir).find("explained"))
    normal = artifact.evidence
    assert normal is not None
    assert normal.names == ("left/1.png", "left/3.png", "right/0.png", "right/2.png")
    tensors = {name.removeprefix(PREFIX): tensor for name, tensor in evidence_tensors(normal).items()}
    again = read_evidence(tensors, artifact.model.detector)
    assert again is not None
    assert (again.names, again.sizes, again.reduced) == (normal.names, normal.sizes, normal.reduced)
    assert torch.equal(again.pictures, normal.pictures) and torch.equal(again.places, normal.places)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("names", torch.tensor(list(b"[1, 2]"), dtype=torch.uint8)),
        ("names", torch.tensor(list(b"[" * 9000), dtype=torch.uint8)),
        ("sizes", torch.zeros(4, 2, dtype=torch.int32)),
        ("pictures", torch.full((3840,), 4, dtype=torch.int32)),
        ("pictures", torch.zeros(7, dtype=torch.int32)),
        ("places", torch.full((3840, 2), 96, dtype=torch.int32)),
        ("places", torch.zeros(3840, 2)),
        ("reduced_lengths", torch.tensor([2**31 - 1] * 4, dtype=torch.int32)),
        ("patches", torch.zeros(3, 8, dtype=torch.float16)),
    ],
)
def test_damaged_evidence_is_refused(explained_dir: Path, name: str, value: Tensor) -> None:
    entry = ModelRepository(explained_dir).find("explained")
    _, tensors = without_evidence(read_tensors(entry.path / "weights.safetensors"))
    detector = load_artifact(entry).model.detector
    with pytest.raises(InvalidArtifact, match="the evidence in the weights"):
        read_evidence(tensors | {name: value}, detector)
    with pytest.raises(InvalidArtifact, match="the evidence in the weights"):
        read_evidence({key: each for key, each in tensors.items() if key != "places"}, detector)
