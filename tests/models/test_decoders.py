"""Decoders know channels and strides only."""

from __future__ import annotations

import pytest
import torch

from workbench.errors import RecipeError
from workbench.models.backbones import BACKBONES
from workbench.models.decoders import DECODERS
from workbench.models.pyramid import LearnedPyramid, quarters


@pytest.mark.parametrize(
    ("depth", "blocks"),
    [(12, (2, 5, 8, 11)), (24, (5, 11, 17, 23)), (32, (7, 15, 23, 31)), (6, (1, 2, 4, 5))],
)
def test_a_plain_vit_gives_the_last_block_of_each_quarter(
    depth: int, blocks: tuple[int, ...]
) -> None:
    assert quarters(depth) == blocks
    assert DECODERS["unet"]([32] * depth, [16] * depth, 2).blocks == blocks


def test_linear_is_one_layer_on_the_last_block() -> None:
    decoder = DECODERS["linear"]([768] * 12, [16] * 12, 2)
    assert decoder.blocks == (11,)
    # ConvTranspose (768, 2, 16, 16) and its bias, as in the reference.
    assert sum(weight.numel() for weight in decoder.parameters()) == 768 * 2 * 16 * 16 + 2


def test_linear_is_its_transposed_convolution() -> None:
    decoder = DECODERS["linear"]([8, 24], [4, 4], 3)
    features = torch.rand(2, 24, 5, 7, generator=torch.Generator().manual_seed(0))
    expected = decoder.conv(features)
    assert decoder([features]).shape == expected.shape == (2, 3, 20, 28)
    torch.testing.assert_close(decoder([features]), expected, rtol=0, atol=1e-6)


def test_linear_takes_the_papers_decur_from_a_thirty_second_to_the_pixel() -> None:
    options = BACKBONES["decur_resnet50"].decoders["linear"]
    decoder = DECODERS["linear"]([256, 512, 1024, 2048], [4, 8, 16, 32], 2, **options)
    assert decoder([torch.rand(1, 2048, 2, 2)]).shape == (1, 2, 64, 64)


def test_unet_takes_a_convolutional_pyramid_without_a_neck() -> None:
    decoder = DECODERS["unet"]([8, 16, 32], [1, 2, 4], 2, channels=(16, 8))
    assert decoder.neck is None
    assert decoder.blocks == (0, 1, 2)
    maps = [torch.rand(1, 8, 32, 32), torch.rand(1, 16, 16, 16), torch.rand(1, 32, 8, 8)]
    assert decoder(maps).shape == (1, 2, 32, 32)


def test_unet_gives_the_resolution_of_the_finest_map() -> None:
    decoder = DECODERS["unet"]([32] * 4, [8] * 4, 2, channels=(16, 8, 8, 8))
    assert decoder([torch.rand(1, 32, 6, 4)] * 4).shape == (1, 2, 24, 16)


def test_unet_convolves_the_coarser_map_doubled_beside_the_finer() -> None:
    torch.manual_seed(0)
    stage = DECODERS["unet"]([8, 16], [1, 2], 2, channels=(4,)).stages[0].eval()
    coarse, fine = torch.rand(2, 16, 3, 5), torch.rand(2, 8, 6, 10)
    doubled = coarse.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    expected = stage.conv2(stage.conv1(torch.cat([doubled, fine], dim=1)))
    torch.testing.assert_close(stage(coarse, fine), expected, rtol=0, atol=1e-6)


def test_too_few_channels_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"'unet' needs 4 channels here; got \[64, 32\]"):
        DECODERS["unet"]([32] * 4, [16] * 4, 2, channels=(64, 32))


def test_pyramid_has_strides_of_a_quarter_to_double() -> None:
    maps = LearnedPyramid(32)([torch.rand(1, 32, 8, 8)] * 4)
    assert [tuple(entry.shape[1:]) for entry in maps] == [
        (8, 32, 32), (16, 16, 16), (32, 8, 8), (32, 4, 4),
    ]  # fmt: skip


def test_fcn_doubles_the_last_map_with_each_stage() -> None:
    decoder = DECODERS["fcn"]([32] * 4, [16] * 4, 2, channels=8, num_convs=3)
    assert decoder.blocks == (3,)
    assert decoder([torch.rand(1, 32, 3, 4)]).shape == (1, 2, 24, 32)
    with pytest.raises(RecipeError, match=r"'fcn' needs at least 1 stage; got num_convs=0"):
        DECODERS["fcn"]([32], [16], 2, num_convs=0)


def test_upernet_takes_a_convolutional_pyramid_without_a_neck() -> None:
    decoder = DECODERS["upernet"]([8, 16, 32], [4, 8, 16], 2, channels=8)
    assert decoder.neck is None
    maps = [torch.rand(1, 8, 12, 8), torch.rand(1, 16, 6, 4), torch.rand(1, 32, 3, 2)]
    assert decoder.eval()(maps).shape == (1, 2, 12, 8)


def test_upernet_trains_on_a_batch_of_one_chip() -> None:
    decoder = DECODERS["upernet"]([32] * 4, [8] * 4, 2, channels=8).train()
    decoder([torch.rand(1, 32, 4, 4)] * 4).sum().backward()
    assert all(weight.grad is not None for weight in decoder.parameters())


def test_the_papers_sizes_come_with_its_backbones() -> None:
    # IBM/peft-geofm, configs/decoders.
    said = BACKBONES["prithvi_eo_v2_300"].decoders
    assert said["unet"] == {"channels": (512, 256, 128, 64)}
    assert said["upernet"] == {"channels": 256}
    assert said["fcn"] == {"channels": 512, "num_convs": 4}


@pytest.mark.parametrize("name", DECODERS)
def test_every_decoder_says_what_it_does(name: str) -> None:
    assert DECODERS[name].summary.endswith(".")


def test_pixelwise_is_one_layer_on_each_pixels_features_and_bands() -> None:
    decoder = DECODERS["pixelwise"]([32] * 4, [8] * 4, 3, num_bands=6)
    assert decoder.blocks == (3,)
    assert sum(weight.numel() for weight in decoder.parameters()) == (32 + 2 * 6) * 3 + 3
    last, image = torch.rand(2, 32, 3, 4), torch.randn(2, 6, 24, 32)
    vectors = decoder.vectors([last, image])
    assert vectors.shape == (2, 44, 24, 32)
    torch.testing.assert_close(vectors[:, 32:38], image)
    torch.testing.assert_close(decoder([last, image]), decoder.head(vectors), atol=1e-5, rtol=1e-5)


def test_pixelwise_takes_a_layer_that_was_solved_elsewhere() -> None:
    decoder = DECODERS["pixelwise"]([8], [4], 2, num_bands=1)
    weight, bias = torch.zeros(2, 10, dtype=torch.float64), torch.tensor([0.0, -0.5])
    weight[1, 8] = 1  # the only band: class 1 above 0.5
    decoder.set_head(weight, bias)
    image = torch.tensor([[[[0.0, 0.4, 0.6, 9.0]]]])
    scores = decoder([torch.rand(1, 8, 1, 1), image])
    assert scores.argmax(1).flatten().tolist() == [0, 0, 1, 1]
