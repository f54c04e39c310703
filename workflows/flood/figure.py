#!/usr/bin/env python3
"""The deepest water over the relief, as a picture: figure.py TERRAIN.npz FLOOD.h5 OUT.png"""

import sys

import h5py
import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.colors import LightSource

terrain, flood, out = sys.argv[1:]
with np.load(terrain) as data:
    elevation = data["elevation"].astype("f8")
with h5py.File(flood) as file:
    deepest = file["max_depth"][...]
relief = LightSource(azdeg=315, altdeg=45).hillshade(elevation, vert_exag=0.1)
figure, axes = pyplot.subplots(figsize=(7, 6), layout="constrained")
axes.imshow(relief, cmap="gray")
water = axes.imshow(np.where(deepest > 0.05, deepest, np.nan), cmap="Blues", vmin=0, vmax=2)
figure.colorbar(water, label="deepest water (m)")
axes.set_axis_off()
figure.savefig(out, dpi=100, metadata={"Software": None})
