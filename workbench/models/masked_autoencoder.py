"""The masked autoencoder that `workbench_tiny` was pre-trained as.

Source: He et al. (2022), "Masked Autoencoders Are Scalable Vision Learners" (arXiv:2111.06377).
"""

from __future__ import annotations

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from workbench.models.attention import Attention
from workbench.models.backbones.prithvi import Prithvi
from workbench.models.positions import sincos_3d


class MaskedAutoencoder(nn.Module):
    """An encoder of visible patches and a small decoder that paints the hidden ones.

    The decoder has 96 channels and 2 blocks: it works on four times as many tokens as the encoder,
    so anything larger would take most of the time. Visible patches are painted without it, by one
    linear layer on the encoder's tokens: a map of pixels needs the detail inside a patch, and a
    linear probe finds it only where it can be read off linearly.
    """

    def __init__(self, encoder: Prithvi, *, dim: int = 96, depth: int = 2) -> None:
        super().__init__()
        self.encoder = encoder
        patch, num_bands = encoder.patch_size, len(encoder.bands)
        self.decoder_embed = nn.Linear(encoder.cls_token.shape[-1], dim)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.decoder_blocks = nn.ModuleList(
            Block(dim, 4, norm_layer=nn.LayerNorm, attn_layer=Attention) for _ in range(depth)
        )
        self.decoder_norm = nn.LayerNorm(dim)
        self.decoder_pred = nn.Linear(dim, patch**2 * num_bands)
        self.visible_pred = nn.Linear(encoder.cls_token.shape[-1], patch**2 * num_bands)
        nn.init.normal_(self.mask_token, std=0.02)

    def forward(self, image: Tensor, keep: Tensor) -> Tensor:
        """Paint all patches of an image from some of them.

        Args:
            image: ``(B, C, H, W)`` normalised.
            keep: ``(B, K)`` int64, numbers of the visible patches, in raster order of the grid.

        Returns:
            Predicted patches ``(B, N, patch²·C)`` float32.
        """
        encoder = self.encoder
        tokens = encoder.embed(image[:, :, None])
        count = tokens.shape[1]
        tokens = tokens.gather(1, keep[..., None].expand(-1, -1, tokens.shape[-1]))
        tokens = torch.cat([encoder.cls_token.expand(len(image), -1, -1), tokens], dim=1)
        for block in encoder.blocks or ():
            tokens = block(tokens)
        tokens = encoder.norm(tokens)
        seen = self.visible_pred(tokens[:, 1:]).float()
        tokens = self.decoder_embed(tokens)
        dim = tokens.shape[-1]
        full = self.mask_token.to(tokens.dtype).expand(len(image), count, dim)
        full = full.scatter(1, keep[..., None].expand(-1, -1, dim), tokens[:, 1:])
        table = sincos_3d(dim, encoder.token_grid(image)[:3])
        full = torch.cat([tokens[:, :1], full], dim=1) + table.to(tokens)
        for block in self.decoder_blocks:
            full = block(full)
        painted = self.decoder_pred(self.decoder_norm(full))[:, 1:].float()
        return painted.scatter(1, keep[..., None].expand(-1, -1, painted.shape[-1]), seen)


def patches_of(image: Tensor, patch: int) -> Tensor:
    """Cut ``(B, C, H, W)`` into patches ``(B, N, patch²·C)`` in raster order of the grid."""
    cells = image.unfold(2, patch, patch).unfold(3, patch, patch)
    return cells.permute(0, 2, 3, 4, 5, 1).flatten(3).flatten(1, 2)
