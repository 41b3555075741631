"""Pictures of a result, rendered from it alone."""
