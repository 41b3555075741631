"""Networks, one published system or building block a file; and what they need at their border."""
