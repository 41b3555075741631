"""The large set: photos by the program's own rasteriser of heads that are not the program's."""
