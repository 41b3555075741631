"""What is waiting for the worker, and what it is doing."""
