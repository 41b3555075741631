"""Meshes and cameras."""
