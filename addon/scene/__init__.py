"""Reconstruction → Blender datablocks."""
