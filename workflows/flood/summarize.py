#!/usr/bin/env python3
"""How much of the terrain was under how much water at its deepest, as CSV: summarize.py FLOOD.h5"""

import sys

import h5py

LIMITS = (0.01, 0.05, 0.1, 0.5, 1.0)  # m

with h5py.File(sys.argv[1]) as file:
    deepest = file["max_depth"][...]
print("deeper_than_m,cells,share")
for limit in LIMITS:
    cells = int((deepest > limit).sum())
    print(f"{limit},{cells},{cells / deepest.size:.6f}")
