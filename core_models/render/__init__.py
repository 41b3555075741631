"""A differentiable rasteriser in plain torch: rasterize, interpolate, shade."""
