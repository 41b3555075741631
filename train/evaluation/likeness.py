"""How much renders of a result look like the person in its photo, measured by an identity network.

Each view gives one distance between embeddings, photo against render:

- `photo`: the photo with the render in the region that `metrics` scores. Hair and background are the photo's, so this
  is the lowest of them.
- `left`, `front`, `right`: the head alone, from its front and turned by 30° to either side of the picture, as lit in
  the photo, without hair, before a background of the network's mean colour.

The network finds the face by the detected landmarks in the photo and by the model's own in the turned views.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import cKDTree

from ...core_models.colour import linear_to_srgb
from ...core_models.networks.identity import IdentityNetwork, identity_distance
from ...core_models.reconstruction import Reconstruction
from ...core_models.view.framing import View, face_frame, portrait_view
from ...core_models.view.traced_head import TracedHead
from .metrics import SCORED_REGIONS, FrameScores

TURNED = {"left": -30.0, "front": 0.0, "right": 30.0}
"""Degrees of yaw."""
VIEWS = ("photo", *TURNED)
_SIZE = 512
"""Pixels of the turned heads, whose faces then are about as large as a network's chip."""
_BACKGROUND_LINEAR = np.array([0.199, 0.179, 0.14])
"""(123, 117, 104) of 255, the mean colour of photos of faces that networks subtract."""


def identity_distances(
    reconstruction: Reconstruction, frame: FrameScores, network: IdentityNetwork
) -> dict[str, float]:
    """Distance to the photo by view; `frame` is `metrics.score_frame` of the reconstruction at any size."""
    seen = face_frame(reconstruction)
    size = len(frame.photo_srgb)
    detected = (reconstruction.landmarks - (seen.left, seen.top)) * (size / seen.side)
    photo = _embedding(network, frame.photo_srgb, detected)
    replaced = np.where(frame.region[..., None], frame.renders_srgb["uv_image"], frame.photo_srgb)
    distances = {"photo": identity_distance(_embedding(network, replaced, detected), photo)}
    vertices = landmark_vertices(reconstruction)
    for name, yaw in TURNED.items():
        view = portrait_view(reconstruction, yaw, _SIZE, _SIZE)
        picture = TracedHead.of(reconstruction, view).picture("uv", "image").over(_BACKGROUND_LINEAR)
        landmarks = _projected(reconstruction.vertices[vertices], view)
        turned = _embedding(network, np.clip(linear_to_srgb(picture), 0, 1), landmarks)
        distances[name] = identity_distance(turned, photo)
    return {name: float(distance) for name, distance in distances.items()}


def landmark_vertices(reconstruction: Reconstruction) -> np.ndarray:
    """(478,) the vertex of the face that the photo's camera sees nearest to each of the model's landmarks."""
    wanted = np.isin(reconstruction.region_names, SCORED_REGIONS)[reconstruction.face_region]
    candidates = np.unique(reconstruction.faces[wanted])
    width, height = map(int, reconstruction.image_size)
    camera = View(reconstruction.rotation, reconstruction.translation, reconstruction.K, width, height)
    places = _projected(reconstruction.vertices[candidates], camera)
    return candidates[cKDTree(places).query(reconstruction.model_landmarks)[1]]


def _projected(points: np.ndarray, view: View) -> np.ndarray:
    """(N, 3) metres, head frame → (N, 2) pixels."""
    x, y, z = (points @ view.rotation.T + view.translation).T
    K = view.K
    return np.stack([K[0, 2] - K[0, 0] * x / z, K[1, 2] + K[1, 1] * y / z], axis=-1)


@torch.no_grad()
def _embedding(network: IdentityNetwork, picture_srgb: np.ndarray, landmarks: np.ndarray) -> torch.Tensor:
    """(H, W, 3) and (478, 2) → (D,)."""
    picture = torch.from_numpy(picture_srgb.astype(np.float32)).permute(2, 0, 1)[None]
    return network.embed(picture, torch.from_numpy(landmarks.astype(np.float32))[None])[0]
