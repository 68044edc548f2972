"""Random fields: the raw material of every simulated surface."""

from __future__ import annotations

import numpy as np
import scipy.fft


def fractal(
    rng: np.random.Generator,
    shape: tuple[int, int],
    *,
    beta: float,
    longest: float | None = None,
    stretch: tuple[float, float] | None = None,
) -> np.ndarray:
    """Draw a Gaussian field whose power falls as frequency to the power of `-beta`.

    Args:
        rng: Source of randomness; one complex normal is drawn per frequency.
        shape: Height and width in pixels.
        beta: Spectral slope: 0 is white noise, 2 is rough ground, 3 is smooth hills.
        longest: Wavelength in pixels above which power stays flat; none means the whole field.
        stretch: Angle in radians and factor by which features are longer along that angle.

    Returns:
        float32 ``(y, x)``, zero mean, unit standard deviation.

    Source: spectral synthesis, Peitgen and Saupe (1988), The Science of Fractal Images, ch. 2.
    """
    # Twice-padded fields would lose the wrap-around entirely; a margin of a quarter is enough to
    # keep opposite edges from matching and costs half as much.
    height = scipy.fft.next_fast_len(shape[0] + shape[0] // 4, real=True)
    width = scipy.fft.next_fast_len(shape[1] + shape[1] // 4, real=True)
    fy = scipy.fft.fftfreq(height)[:, None].astype(np.float32)
    fx = scipy.fft.rfftfreq(width)[None, :].astype(np.float32)
    if stretch is not None:
        angle, factor = stretch
        along = np.cos(angle) * fx + np.sin(angle) * fy
        across = -np.sin(angle) * fx + np.cos(angle) * fy
        squared = (along * factor) ** 2 + across**2
    else:
        squared = fx**2 + fy**2
    floor = 1.0 / (longest if longest is not None else max(height, width))
    amplitude = (squared + floor**2) ** (-beta / 4)
    amplitude[0, 0] = 0.0
    white = rng.standard_normal((2, height, fx.shape[1]), dtype=np.float32)
    spectrum = (white[0] + 1j * white[1]) * amplitude
    field = scipy.fft.irfft2(spectrum, s=(height, width), workers=1)[: shape[0], : shape[1]]
    field = field - field.mean()
    return (field / max(float(field.std()), 1e-12)).astype(np.float32)


def threshold_at(field: np.ndarray, share: float, softness: float) -> np.ndarray:
    """Map a field to 0..1 so that about `share` of it is above one half; float32 ``(y, x)``."""
    if share <= 0:
        return np.zeros_like(field)
    level = np.quantile(field, 1.0 - min(share, 1.0))
    return np.clip(0.5 + (field - level) / softness, 0.0, 1.0).astype(np.float32)


def smoothstep(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """Rise smoothly from 0 at `low` to 1 at `high`."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)
