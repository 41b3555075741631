"""The library: numpy and torch. No bpy; prints nothing."""
