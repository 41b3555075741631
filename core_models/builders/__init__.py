"""What makes the files that ship: `python -m semblance.core_models.builders NAME`."""
