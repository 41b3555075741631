"""Landmarks to pose, identity and expression."""
