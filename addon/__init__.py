"""What runs inside Blender: bpy and numpy only."""
