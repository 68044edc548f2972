"""The assembled model: any size, invalid pixels, padding, precision."""

from __future__ import annotations

import pytest
import torch

from workbench.assembly import build_model
from workbench.errors import BandError, DataError
from workbench.models import load_backbone
from workbench.models.backbones import Backbone
from workbench.models.decoders import DECODERS
from workbench.models.segmenter import Normalize, Segmenter, pad_to_multiple
from workbench.recipe import Recipe

NAMES = {
    "prithvi": {"embed_dim": 32, "depth": 4, "num_heads": 2, "patch_size": 8, "image_size": 32},
    "unet_encoder": {"widths": (8, 16, 32)},
}

SMALL_DECODERS = {
    "linear": {},
    "fcn": {"channels": 8, "num_convs": 3},
    "unet": {"channels": (16, 8, 8, 8)},
    "upernet": {"channels": 8},
}


def backbone(name: str, **more: int) -> Backbone:
    torch.manual_seed(0)
    return load_backbone(name, **NAMES[name], **more)


def segmenter(name: str, decoder: str = "unet", **more: int) -> Segmenter:
    net = backbone(name, **more)
    options = {"num_bands": len(net.bands) * net.num_frames} if decoder == "pixelwise" else \
        SMALL_DECODERS[decoder]
    head = DECODERS[decoder](net.num_features, net.strides, 3, **options)
    return Segmenter(Normalize([0.1] * 6, [0.2] * 6), net, head).eval()


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(64, 64), (50, 70), (33, 31), (5, 9), (1, 1)])
def test_any_image_size_gives_logits_of_that_size(
    name: str, decoder: str, size: tuple[int, int]
) -> None:
    with torch.no_grad():
        logits = segmenter(name, decoder)(torch.rand(2, 6, *size))
    assert logits.shape == (2, 3, *size)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()


@pytest.mark.parametrize("decoder", DECODERS)
def test_several_dates_are_one_image(decoder: str) -> None:
    model = segmenter("prithvi", decoder, num_frames=2)
    with torch.no_grad():
        assert model(torch.rand(1, 6, 2, 40, 50)).shape == (1, 3, 40, 50)


@pytest.mark.parametrize(("built", "given"), [(1, 3), (3, 1), (2, 3)])
def test_another_number_of_dates_is_refused(built: int, given: int) -> None:
    image = torch.rand(1, 6, given, 32, 32) if given > 1 else torch.rand(1, 6, 32, 32)
    with pytest.raises(DataError, match=f"built for {built} frames?; .* has {given}. Build it"):
        segmenter("prithvi", num_frames=built)(image)


def test_dates_that_are_averaged_may_be_any_number() -> None:
    bands = load_backbone("galileo_nano", weights="random").bands
    model = build_model(Recipe(backbone="galileo_nano"), classes=3, bands=bands, weights="random")
    with torch.no_grad():
        assert model.eval()(torch.rand(1, len(bands), 3, 16, 16)).shape == (1, 3, 16, 16)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_invalid_pixels_count_as_the_bands_mean(value: float) -> None:
    model = segmenter("prithvi")
    image = torch.rand(1, 6, 32, 32)
    with_mean = image.clone()
    image[:, 2, 5:9, 7] = value
    with_mean[:, 2, 5:9, 7] = 0.1
    with torch.no_grad():
        assert torch.equal(model(image), model(with_mean))


def test_normalisation_is_z_scores_and_saved_with_the_model() -> None:
    normalize = Normalize([0.1, 0.3], [0.2, 0.4])
    image = torch.tensor([0.3, 0.7]).view(1, 2, 1, 1)
    torch.testing.assert_close(normalize(image), torch.ones(1, 2, 1, 1))
    assert set(normalize.state_dict()) == {"mean", "std"}


@pytest.mark.parametrize(("size", "above", "below"), [(64, 0, 0), (50, 7, 7), (61, 1, 2)])
def test_padding_is_split_and_mirrors_the_image(size: int, above: int, below: int) -> None:
    image = torch.rand(1, 2, size, 32)
    padded, top, left = pad_to_multiple(image, 32)
    assert (top, left) == (above, 0)
    assert padded.shape[-2] == size + above + below
    assert torch.equal(padded[..., top : top + size, :], image)
    assert torch.equal(padded[..., :above, :], image[..., 1 : above + 1, :].flip(-2))


def test_padding_leaves_no_trace_where_the_receptive_field_does_not_reach() -> None:
    # Three levels see at most 30 pixels far; the middle of 96 does not see an edge.
    model = segmenter("unet_encoder")
    image = torch.rand(1, 6, 96, 96)
    with torch.no_grad():
        whole, cut = model(image), model(image[..., 4:, 4:])
        torch.testing.assert_close(whole[..., 40:52, 40:52], cut[..., 36:48, 36:48])


def test_another_number_of_bands_is_refused() -> None:
    with pytest.raises(BandError, match=r"bands BLUE, .*SWIR_2; got \(1, 4, 32, 32\)"):
        segmenter("prithvi")(torch.rand(1, 4, 32, 32))


def test_logits_are_float32_under_reduced_precision() -> None:
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert segmenter("prithvi")(torch.rand(1, 6, 32, 32)).dtype == torch.float32


def test_rotating_the_image_of_a_symmetric_network_rotates_the_logits() -> None:
    # Padding and cropping take the same side for rows and columns.
    model = segmenter("unet_encoder")
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            weight = module.weight.data
            module.weight.data = (weight + weight.transpose(-1, -2)) / 2
    image = torch.rand(1, 6, 27, 45)
    with torch.no_grad():
        turned = model(image.transpose(-1, -2)).transpose(-1, -2)
        torch.testing.assert_close(turned, model(image), rtol=0, atol=1e-5)
