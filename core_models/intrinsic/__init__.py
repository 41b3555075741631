"""Appearance taken apart into albedo and light."""
