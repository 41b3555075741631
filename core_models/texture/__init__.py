"""From the photo to albedo and light: unwrap, separate, complete."""
