"""What the user's R-Net sees in a photo, as the face that the fit starts from."""

from __future__ import annotations

import os

from ..errors import SemblanceError
from ..faces.find import Face
from ..morphable.basel_files import N_ALBEDO, N_EXPRESSION, N_IDENTITY
from ..morphable.model import MorphableModel
from ..networks.regressor import Regressor, for_inference, load_regressor, regress
from ..photo.load import Photo
from .fit import PosedFace

_VARIANT = "bfm-2009"


class RegressorModelError(SemblanceError):
    """A face model other than the one whose coefficients R-Net tells."""

    code = "regressor_model"


def check_model(model: MorphableModel) -> None:
    """Raises RegressorModelError where R-Net's coefficients mean nothing for `model`."""
    counts = (model.n_identity, model.n_expression, model.n_albedo)
    if not model.model_id.startswith(_VARIANT) or counts != (N_IDENTITY, N_EXPRESSION, N_ALBEDO):
        raise RegressorModelError(
            "The regressor tells coefficients of the Basel Face Model of 2009, and another face model is chosen.",
            "Choose BFM_model_front.mat, or 01_MorphableModel.mat, as the face model (--model); or no regressor.",
        )


def load_fast_regressor(path: str | os.PathLike[str]) -> Regressor:
    """R-Net for `regress_face`. Raises RegressorFileError."""
    return for_inference(load_regressor(path))


def regress_face(network: Regressor, photo: Photo, face: Face) -> PosedFace:
    """A face as the network sees it, before the camera that Deng et al. assume; K in pixels of the photo."""
    seen = regress(network, photo.srgb, face.landmarks)
    found, camera = seen.coefficients, seen.camera
    parts = (found.identity, found.expression, camera.rotation, camera.translation, camera.K)
    return PosedFace(*(part[0].double().numpy() for part in parts))
