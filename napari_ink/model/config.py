"""Sizes of a network, which its checkpoint stores beside the weights."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

PerStage = int | tuple[int, ...]
STAGES = 4
TILE_PX, CONTEXT_PX = 768, 128
"""Tile and context of networks whose attention has a reach of one cell: see docs/decisions/0027-context.md."""


class InkEdgeConfig(BaseModel):
    """Sizes of an `InkEdgeNetwork`; a single number applies to all stages, a tuple has one number per stage."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stem_channels: tuple[int, int] = Field((8, 24), description="features of the stem at half and quarter resolution")
    dims: PerStage = Field((32, 64, 128, 192), description="token width of each transformer stage")
    heads: PerStage = Field((1, 2, 4, 6), description="attention heads of each stage")
    ff_expansion: PerStage = Field(4, description="hidden width of the feed-forward part, in token widths")
    reduction_ratio: PerStage = Field((8, 4, 2, 1), description="how much coarser keys and values are than queries")
    attention_reach: int | None = Field(
        None, ge=1, description="coarse cells around its own that a token attends to; None for all of the tile"
    )
    num_layers: PerStage = Field((1, 1, 2, 1), description="transformer blocks of each stage")
    decoder_dim: int = Field(64, description="width of the decoder at quarter resolution")
    ink_average_px: float = Field(
        12.0,
        gt=0,
        le=12.8,  # farther places lie beyond the margin of a tile that the decoder computes
        description="spread of the surroundings that logits of ink are averaged with, in pixels",
    )
    ink_average_share: float = Field(
        0.0, ge=0, le=1, description="share of the average of its surroundings in a logit of ink, in prediction"
    )

    @classmethod
    def tiny(cls) -> Self:
        """Return the sizes for a laptop's CPU."""
        return cls(attention_reach=1)

    @classmethod
    def base(cls) -> Self:
        """Return the sizes for a desktop's GPU: about four times the weights of tiny."""
        return cls(
            stem_channels=(12, 32),
            dims=(48, 96, 192, 320),
            heads=(1, 2, 4, 8),
            attention_reach=1,
            num_layers=(2, 2, 3, 2),
            decoder_dim=96,
        )

    @classmethod
    def large(cls) -> Self:
        """Return the sizes for a data-centre GPU: the encoder of SegFormer-b2 (Xie et al. 2021)."""
        return cls(
            stem_channels=(16, 48),
            dims=(64, 128, 320, 512),
            heads=(1, 2, 5, 8),
            attention_reach=1,
            num_layers=(3, 4, 6, 3),
            decoder_dim=192,
        )

    def per_stage(self, name: str) -> tuple[int, ...]:
        """Return the setting `name` as one value for each of the four stages."""
        value: PerStage = getattr(self, name)
        return value if isinstance(value, tuple) else (value,) * STAGES

    @model_validator(mode="after")
    def _stages_fit(self) -> Self:
        for name in ("dims", "heads", "ff_expansion", "reduction_ratio", "num_layers"):
            values = self.per_stage(name)
            if len(values) != STAGES or min(values) < 1:
                raise ValueError(f"{name} needs one value or {STAGES}, each at least 1, not {values}")
        for dim, heads in zip(self.per_stage("dims"), self.per_stage("heads"), strict=True):
            if dim % heads:
                raise ValueError(f"a token width of {dim} cannot be split over {heads} heads")
        return self
