"""The sidebar: reads state and draws it, no logic. Each module ends with its CLASSES, registered in this order."""

from . import photo

CLASSES = (*photo.CLASSES,)
