"""Morphable face models: what one is, and the embedded default."""
