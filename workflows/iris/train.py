#!/usr/bin/env python3
"""A logistic regression of the species: its coefficients to a file, its accuracy, cross-validated, to standard output.

example: train.py processed.csv --folds 5 --model model.npz > accuracy.csv
"""

import argparse
import csv

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("table", help="measurements, and the species in the last column")
parser.add_argument("--folds", type=int, default=5)
parser.add_argument("--model", required=True, help="an .npz with `coefficients`, `intercepts`, `classes`")
args = parser.parse_args()

with open(args.table, newline="", encoding="utf-8") as file:
    _, *rows = csv.reader(file)
values, species = np.array([row[:-1] for row in rows], dtype="f8"), np.array([row[-1] for row in rows])
model = LogisticRegression(max_iter=1000)
scores = cross_val_score(model, values, species, cv=StratifiedKFold(args.folds))
model.fit(values, species)
np.savez(args.model, coefficients=model.coef_, intercepts=model.intercept_, classes=model.classes_)
print("fold,accuracy")
for k, score in enumerate(scores):
    print(f"{k},{score:.6f}")
print(f"mean,{scores.mean():.6f}")
