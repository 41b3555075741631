"""The command line inside Blender: photos in, .blend files out."""
