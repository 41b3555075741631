"""Reconstruction to Blender datablocks."""
