"""What the buttons do. Each module ends with its CLASSES, registered in this order."""

from . import backend, face, help, photos, reconstruct, relight

CLASSES = (
    *photos.CLASSES,
    *reconstruct.CLASSES,
    *relight.CLASSES,
    *face.CLASSES,
    *backend.CLASSES,
    *help.CLASSES,
)
