"""The albedo of what the photo does not show."""
