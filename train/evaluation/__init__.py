"""How good results are, measured on photos."""
