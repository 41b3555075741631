"""Semblance: one photo in, a relightable 3D face out."""
