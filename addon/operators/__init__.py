"""What the buttons do. Each module ends with its CLASSES, registered in this order."""

from . import backend, help, photos, reconstruct

CLASSES = (*photos.CLASSES, *reconstruct.CLASSES, *backend.CLASSES, *help.CLASSES)
