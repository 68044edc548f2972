"""Fixed sine-cosine encodings of positions, dates and coordinates."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def sincos(values: Tensor, dim: int) -> Tensor:
    """Encode numbers ``(N,)`` as ``(N, dim)``: all sines, then all cosines.

    Source: Prithvi-EO-2.0 (NASA-IMPACT, prithvi_mae.py), after Vaswani et al. 2017, section 3.5.
    """
    # 10000 is the paper's longest wavelength over 2 pi.
    steps = torch.arange(dim // 2, dtype=values.dtype, device=values.device) / (dim / 2)
    angles = values[:, None] * (1.0 / 10000**steps)
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def sincos_3d(dim: int, grid: tuple[int, int, int]) -> Tensor:
    """Return the table ``(1, 1 + T*H*W, dim)`` float32; the class token's row is zero.

    Of 16 channels, 6 encode the column, 6 the row and 4 the frame; tokens run frame, row, column.
    Source: Prithvi-EO-2.0 (NASA-IMPACT, prithvi_mae.py, get_3d_sincos_pos_embed).
    """
    assert dim % 16 == 0, "the 6:6:4 shares need a multiple of 16"
    frames, rows, columns = grid
    space, time = dim // 16 * 6, dim // 16 * 4
    t = sincos(torch.arange(frames, dtype=torch.float64), time)[:, None, None]
    y = sincos(torch.arange(rows, dtype=torch.float64), space)[None, :, None]
    x = sincos(torch.arange(columns, dtype=torch.float64), space)[None, None, :]
    parts = [part.expand(frames, rows, columns, -1) for part in (x, y, t)]
    table = torch.cat(parts, dim=-1).reshape(1, -1, dim)
    return torch.cat([table.new_zeros(1, 1, dim), table], dim=1).float()


def resize_table(table: Tensor, grid: tuple[int, int, int], wanted: tuple[int, int, int]) -> Tensor:
    """Return the position table of another grid.

    Another number of frames is computed anew, another size of frames interpolated (bicubic,
    corners aligned), as in the reference.
    """
    if wanted == grid:
        return table
    dim = table.shape[-1]
    if wanted[0] != grid[0]:
        grid = (wanted[0], *grid[1:])
        table = sincos_3d(dim, grid).to(table)
    frames = table[:, 1:].reshape(*grid, dim).permute(0, 3, 1, 2)
    frames = F.interpolate(frames, size=wanted[1:], mode="bicubic", align_corners=True)
    return torch.cat([table[:, :1], frames.permute(0, 2, 3, 1).reshape(1, -1, dim)], dim=1)


def sincos_closed(values: Tensor, dim: int) -> Tensor:
    """Encode numbers ``(N,)`` as ``(N, dim)`` with frequencies from 1 down to 1/10 000 itself.

    Source: Clay-foundation/model (src/utils.py, posemb_sincos_1d).
    """
    steps = torch.arange(dim // 2, dtype=values.dtype, device=values.device) / (dim // 2 - 1)
    angles = values[:, None] * (1.0 / 10000**steps)
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def sincos_2d(dim: int, grid: tuple[int, int], gsd: Tensor) -> Tensor:
    """Return the tables ``(G, h*w, dim)`` of G ground sampling distances in metres.

    Quarters of the channels are sine and cosine of the column, then of the row, counted in metres.
    Source: Clay-foundation/model (src/utils.py, posemb_sincos_2d_with_gsd), whose exponents are
    divided twice.
    """
    assert dim % 4 == 0, "sines and cosines of two axes need a multiple of 4"
    rows, columns = grid
    steps = torch.arange(dim // 4, device=gsd.device) / (dim // 4 - 1)
    omega = 1.0 / 10000 ** (2 * steps / dim) * gsd[:, None, None]
    y = torch.arange(rows, device=gsd.device).repeat_interleave(columns)[:, None] * omega
    x = torch.arange(columns, device=gsd.device).repeat(rows)[:, None] * omega
    return torch.cat([x.sin(), x.cos(), y.sin(), y.cos()], dim=-1)


def sincos_halved(values: Tensor, dim: int) -> Tensor:
    """Encode numbers ``(N,)`` as ``(N, dim)``: as `sincos`, with a quarter of the exponents.

    Source: nasaharvest/galileo (single_file_galileo.py, get_1d_sincos_pos_embed_from_grid_torch),
    whose exponents are divided by two where other tables' are multiplied.
    """
    steps = torch.arange(dim // 2, dtype=values.dtype, device=values.device) / dim / 2
    angles = values[:, None] * (1.0 / 10000**steps)
    return torch.cat([angles.sin(), angles.cos()], dim=1)
