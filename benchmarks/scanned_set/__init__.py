"""The scanned set: heads of people drawn from statistics of scans, painted, combed and lit by the benchmarks."""
