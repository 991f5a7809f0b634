"""Networks of timm as backbones: CNNs, and vision transformers with any tile size. All weights are random."""

from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from torch.nn import functional as F

from app.artifacts import ModelRepository, load_artifact, read_manifest
from app.backbones import Normalisation, build_backbone, default_weights, load_weights
from app.data import Folder
from app.detectors import Detector, Padim, Patchcore, Stfpm, Subspace
from app.errors import InvalidParameter, InvalidTiling, InvalidTraining, InvalidWeights
from app.pipeline import predict
from app.runtime import RunOptions
from app.tiling import Tiling
from app.training import Recipe, plan_training, train
from app.training.distillation import Teacher
from tests.conftest import draw_surface

CPU = torch.device("cpu")
VIT, VIT_WITH_REGISTERS, CNN = "timm/test_vit", "timm/test_vit2", "timm/test_resnet"


@pytest.fixture
def surfaces(tmp_path: Path) -> Folder:
    """Pictures of six normal surfaces."""
    (tmp_path / "surfaces").mkdir()
    for seed in range(6):
        Image.fromarray(draw_surface(seed)).save(tmp_path / "surfaces" / f"{seed}.png")
    return Folder(str(tmp_path / "surfaces"))


@pytest.mark.parametrize("name", [VIT, VIT_WITH_REGISTERS, CNN, "timm/test_convnext", "timm/test_efficientnet"])
@pytest.mark.parametrize("size", [(64, 96), (65, 51)])
@torch.inference_mode()
def test_features_have_the_strides_and_channels_of_their_layers(name: str, size: tuple[int, int]) -> None:
    backbone = build_backbone(name, None, (8, 16)).eval()
    found = backbone(torch.randn(2, 3, *size))
    assert tuple(found) == backbone.layers
    for layer, feature in found.items():
        stride = backbone.strides[layer]
        assert feature.shape == (2, backbone.channels[layer], -(-size[0] // stride), -(-size[1] // stride))


@torch.inference_mode()
def test_layers_of_a_cnn_are_those_of_timm_in_the_requested_order(tmp_path: Path) -> None:
    whole = timm.create_model("test_resnet", pretrained=False).eval()
    save_file(whole.state_dict(), tmp_path / "cnn.safetensors")
    backbone = build_backbone(CNN, ("layer3", "layer1"), ()).eval()
    load_weights(backbone, tmp_path / "cnn.safetensors")
    picture = torch.randn(1, 3, 64, 96)
    found, (_, first, _, third, _) = backbone(picture), whole.forward_intermediates(picture, intermediates_only=True)
    assert list(found) == ["layer3", "layer1"]
    torch.testing.assert_close(found["layer3"], third)
    torch.testing.assert_close(found["layer1"], first)


@torch.inference_mode()
def test_patch_tokens_are_normed_and_have_no_prefix(tmp_path: Path) -> None:
    """At the size that the network was made for, where position embeddings are not interpolated."""
    whole = timm.create_model("test_vit", pretrained=False).eval()
    save_file(whole.state_dict(), tmp_path / "vit.safetensors")
    backbone = build_backbone(VIT, None, (8, 16)).eval()
    load_weights(backbone, tmp_path / "vit.safetensors")
    picture = torch.randn(2, 3, *whole.patch_embed.img_size)
    last = backbone(picture)[backbone.layers[-1]]
    tokens = whole.forward_features(picture)[:, whole.num_prefix_tokens :]
    torch.testing.assert_close(last.flatten(2).transpose(1, 2), tokens)


@torch.inference_mode()
def test_position_embeddings_are_interpolated() -> None:
    backbone = build_backbone(VIT, None, (8, 16)).eval()
    (feature, *_) = backbone(torch.zeros(1, 3, 64, 160)).values()
    assert float(feature.std((2, 3)).max()) > 0  # positions differ although the picture is plain


def test_the_normalisation_is_that_of_the_configuration() -> None:
    assert build_backbone(VIT, None, (8, 16)).normalisation == Normalisation((0.5,) * 3, (0.5,) * 3)


@pytest.mark.parametrize(
    ("name", "layers", "said"),
    [
        ("timm/no_such_network", None, "no network 'no_such_network'"),
        ("timm/test_vit.no_such_tag", None, "no_such_tag"),
        (VIT, ("blocks.99",), "blocks.5"),
        ("timm/beit_base_patch16_224", None, "pictures of any size"),
        ("timm/levit_128s", None, r"\[8, 16\].*stages.0"),
    ],
)
def test_networks_that_cannot_be_used_are_refused_with_the_reason(
    name: str, layers: tuple[str, ...] | None, said: str
) -> None:
    with pytest.raises(InvalidWeights, match=said):
        build_backbone(name, layers, (8, 16))


def test_weights_must_be_named() -> None:
    backbone = build_backbone(VIT, None, (8, 16))
    with pytest.raises(InvalidWeights, match="backbone_weights"):
        default_weights(backbone)
    with pytest.raises(InvalidParameter, match="ResNet"):
        Stfpm(VIT)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_file(timm.create_model("test_resnet", pretrained=False).state_dict(), tmp_path / "cnn.safetensors")
    with pytest.raises(InvalidWeights, match=r"does not hold timm/test_vit.*missing"):
        load_weights(build_backbone(VIT, None, (8, 16)), tmp_path / "cnn.safetensors")


@torch.inference_mode()
def test_tokens_are_patches_without_means_of_neighbours() -> None:
    detector = Patchcore(VIT, pre_trained=False).eval()
    tiles = torch.randn(1, 3, 64, 96)
    (embedding,) = detector.embed(tiles)
    assert torch.equal(embedding, torch.cat(list(detector.backbone(tiles).values()), 1))
    averaged = Patchcore(CNN, pre_trained=False).eval()
    (first, *_) = averaged.backbone(tiles).values()
    assert torch.equal(averaged.embed(tiles)[0][:, : first.shape[1]], F.avg_pool2d(first, 3, 1, 1))


@pytest.mark.parametrize(
    "detector",
    [
        lambda: Patchcore(VIT, pre_trained=False, coreset_sampling_ratio=0.2),
        lambda: Padim(CNN, pre_trained=False, n_features=12),
        lambda: Subspace(VIT_WITH_REGISTERS, pre_trained=False),
    ],
    ids=["patchcore", "padim", "subspace"],
)
def test_a_model_is_trained_written_loaded_and_used(
    detector: Callable[[], Detector], surfaces: Folder, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    recipe = Recipe(detector(), surfaces, Tiling(tile_size=64, stride=32), seed=0)
    entry = train(recipe, plan_training(recipe, CPU), ModelRepository(tmp_path / "models"), "s", CPU, lambda *_: None)

    model = load_artifact(entry, options=RunOptions(precision="auto", batch_tiles=0, lanes=2)).model
    assert model.network.precision == "float32" and model.execution.fallback is not None
    record, normalisation = read_manifest(entry.path).preprocessing, recipe.detector.normalisation
    assert (record.mean, record.std) == (normalisation.mean, normalisation.std)
    picture = draw_surface(77)
    normal = predict(model, torch.from_numpy(picture).permute(2, 0, 1))
    picture[40:56, 100:124] = (255, 0, 0)
    assert predict(model, torch.from_numpy(picture).permute(2, 0, 1)).raw_score > normal.raw_score


def test_tiles_must_be_multiples_of_the_patch(surfaces: Folder) -> None:
    detector = Patchcore("timm/vit_tiny_patch16_224", ("blocks.0",), pre_trained=False)
    with pytest.raises(InvalidTiling, match="96 or 112"):
        plan_training(Recipe(detector, surfaces, Tiling(tile_size=100)), CPU)


def test_a_vision_transformer_cannot_teach_a_resnet() -> None:
    with pytest.raises(InvalidTraining, match=r"\(16, 16\)"):
        Teacher(VIT, "unused", CPU, 64)
