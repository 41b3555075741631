"""The other process, which owns torch, and the environment that it runs in; no bpy."""
