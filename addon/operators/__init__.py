"""What the buttons do. Each module ends with its CLASSES, registered in this order."""

from . import backend, reconstruct

CLASSES = (*reconstruct.CLASSES, *backend.CLASSES)
