"""How far a reconstruction is from a head whose geometry, albedo, light and camera are known."""
