"""A network small enough to learn something in seconds, and its training settings."""

from napari_ink.model import InkEdgeConfig, InputContract
from napari_ink.training import AugmentationSettings, TrainSettings

CONTRACT = InputContract(depth_layers=12, min_depth_layers=4, mean=0.3, std=0.2, voxel_size_um=7.91, tile_size=64)
CONFIG = InkEdgeConfig(stem_channels=(2, 4), dims=8, heads=1, reduction_ratio=1, num_layers=1, decoder_dim=8)
QUICK = TrainSettings(
    steps=6, batch_size=2, crop_size=64, learning_rate=0.02, precision="fp32", validate_every=3, validation_crops=4
)
PLAIN = QUICK.model_copy(update={"augmentation": AugmentationSettings.none()})
