"""Where a person is, against the background: mediapipe's segmentation on a crop around the face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .mediapipe_graphs import FaceNetworks
from .patch import Box, Patch

_MARGIN = 1.5
"""Of the photo around the landmarks, inter-ocular distances: the network knows people by head and shoulders."""
_SIDE = 256
"""Pixels of the network's own input."""


@dataclass(frozen=True, eq=False)
class PersonMap:
    """How surely the pixels around a face are a person: skin, hair, clothes, and what is worn or held."""

    share: np.ndarray
    """(h, w) float32, 0 … 1."""
    box: Box
    """The part of the photo that it covers."""

    def over(self, patch: Patch) -> np.ndarray:
        """(h, w) float32 at the pixels of a patch of the same photo."""
        import cv2

        x_scale = self.share.shape[1] / (self.box.x1 - self.box.x0)
        y_scale = self.share.shape[0] / (self.box.y1 - self.box.y0)
        x = (np.arange(patch.shape[1], dtype=np.float32) + 0.5) / patch.scale + patch.box.x0 - self.box.x0
        y = (np.arange(patch.shape[0], dtype=np.float32) + 0.5) / patch.scale + patch.box.y0 - self.box.y0
        columns, rows = np.meshgrid(x * x_scale - 0.5, y * y_scale - 0.5)
        return cv2.remap(
            self.share,
            columns.astype(np.float32),
            rows.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )


def find_person(networks: FaceNetworks, srgb: np.ndarray, landmarks: np.ndarray) -> PersonMap:
    """Around landmarks (478, 2) of a photo (H, W, 3) uint8; mean of the crop and its mirror image."""
    import cv2

    box = Box.around(landmarks, _MARGIN, srgb.shape[1], srgb.shape[0])
    if box.is_empty:
        return PersonMap(np.zeros((1, 1), np.float32), Box(0, 0, 1, 1))
    crop = cv2.resize(box.cut(srgb), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    share = (networks.person(crop) + networks.person(crop[:, ::-1])[:, ::-1]) / 2
    return PersonMap(share, box)
