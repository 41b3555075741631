"""A photo file becomes an upright 8-bit sRGB image."""
