"""sRGB ↔ linear: the standard's values, round trips, gradients, both array kinds."""

import numpy as np
import pytest
import torch

from semblance.core_models.colour import linear_to_srgb, linear_to_srgb_uint8, srgb_to_linear


def test_values_of_the_standard() -> None:
    encoded = np.array([0.0, 0.04045, 0.5, 1.0])
    expected = np.array([0.0, 0.0031308, 0.21404114, 1.0])
    np.testing.assert_allclose(srgb_to_linear(encoded), expected, atol=1e-7)
    np.testing.assert_allclose(linear_to_srgb(expected), encoded, atol=1e-6)


@pytest.mark.parametrize("convert", [srgb_to_linear, linear_to_srgb])
def test_rises_and_is_odd(convert) -> None:
    values = np.linspace(0.0, 1.2, 2001)
    assert (np.diff(convert(values)) > 0).all()
    np.testing.assert_allclose(convert(-values), -convert(values))
    np.testing.assert_allclose(convert(torch.from_numpy(-values)), -convert(values))


def test_bytes_are_decoded_like_floats() -> None:
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_allclose(srgb_to_linear(levels), srgb_to_linear(levels / 255.0), rtol=1e-6)


def test_every_byte_survives_the_round_trip() -> None:
    levels = np.arange(256, dtype=np.uint8)
    linear = srgb_to_linear(levels)
    assert linear.dtype == np.float32
    np.testing.assert_array_equal(linear_to_srgb_uint8(linear), levels)
    np.testing.assert_array_equal(linear_to_srgb_uint8(torch.from_numpy(linear)), levels)


def test_bytes_outside_the_range_are_clipped() -> None:
    np.testing.assert_array_equal(linear_to_srgb_uint8(np.array([-0.5, 0.0, 1.0, 7.0])), [0, 0, 255, 255])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.uint8])
def test_tensors_and_arrays_agree(dtype) -> None:
    values = np.random.default_rng(3).uniform(0, 1, (4, 5, 3))
    values = np.round(values * 255).astype(dtype) if dtype == np.uint8 else values.astype(dtype)
    for convert in (srgb_to_linear,) if dtype == np.uint8 else (srgb_to_linear, linear_to_srgb):
        array, tensor = convert(values), convert(torch.from_numpy(values))
        assert array.shape == values.shape
        assert tensor.numpy().dtype == array.dtype
        np.testing.assert_allclose(array, tensor.numpy(), atol=1e-6)


@pytest.mark.parametrize("convert", [srgb_to_linear, linear_to_srgb])
def test_gradients(convert) -> None:
    values = torch.tensor([-0.3, 0.001, 0.02, 0.2, 0.9, 1.1], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(convert, (values,))
    zero = torch.zeros(1, requires_grad=True)
    convert(zero).sum().backward()
    assert torch.isfinite(zero.grad).all()


def test_the_input_is_left_alone() -> None:
    values = np.array([0.2, 0.7], dtype=np.float32)
    before = values.copy()
    srgb_to_linear(values)
    linear_to_srgb(values)
    np.testing.assert_array_equal(values, before)
