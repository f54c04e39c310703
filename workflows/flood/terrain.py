#!/usr/bin/env python3
"""The elevation model that matplotlib's wheel carries, as a file of one's own: terrain.py OUT.npz"""

import shutil
import sys

from matplotlib import cbook

shutil.copyfile(cbook.get_sample_data("jacksboro_fault_dem.npz", asfileobj=False), sys.argv[1])
