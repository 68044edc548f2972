from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from workbench.plots import outlines


def test_no_outline_jumps_over_the_antimeridian():
    rings = outlines.country_rings()
    if not rings:
        pytest.skip("bqplot is not installed")
    assert len(rings) > 200
    assert max(np.abs(np.diff(ring[:, 0])).max() for ring in rings) <= outlines.JUMP_DEGREES
    assert all(np.abs(ring).max(axis=0)[0] <= 180 for ring in rings)


def test_a_ring_over_the_antimeridian_becomes_closed_pieces_on_either_side():
    ring = np.array([(170, 0), (178, 0), (-178, 0), (-170, 0), (-178, 5), (178, 5), (170, 0.0)])
    pieces = outlines.cut_at_antimeridian(ring)
    assert len(pieces) == 2
    for piece in pieces:
        assert (piece[0] == piece[-1]).all()
        assert len({*np.sign(piece[:, 0])}) == 1


def test_a_ring_round_a_pole_is_closed_at_the_pole():
    lon = np.array([-170.0, -60, 60, 170, -170])
    (piece,) = outlines.cut_at_antimeridian(np.column_stack([lon, np.full(5, -70.0)]))
    assert piece[:, 1].min() == -90
    assert (piece[0] == piece[-1]).all()
    assert np.abs(np.diff(piece[:, 0])).max() <= 180


def test_without_bqplot_there_are_no_outlines(monkeypatch):
    outlines.country_rings.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert outlines.country_rings() == ()
    outlines.country_rings.cache_clear()
