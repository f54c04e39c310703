#!/usr/bin/env python3
"""Fisher's irises as scikit-learn's wheel carries them, one flower a line: data.py OUT.csv"""

import csv
import sys

from sklearn.datasets import load_iris

iris = load_iris()
with open(sys.argv[1], "w", newline="", encoding="utf-8") as file:
    table = csv.writer(file, lineterminator="\n")
    table.writerow([*(name.replace(" (cm)", "_cm").replace(" ", "_") for name in iris.feature_names), "species"])
    table.writerows([*row, iris.target_names[kind]] for row, kind in zip(iris.data.tolist(), iris.target, strict=True))
