"""Where the faces are: detection, the 478 landmarks, the mask."""
