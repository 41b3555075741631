"""What the buttons do. Each module ends with its CLASSES, registered in this order."""

from . import backend, face, help, photos, reconstruct, relight, show

CLASSES = (
    *photos.CLASSES,
    *reconstruct.CLASSES,
    *show.CLASSES,
    *relight.CLASSES,
    *face.CLASSES,
    *backend.CLASSES,
    *help.CLASSES,
)
