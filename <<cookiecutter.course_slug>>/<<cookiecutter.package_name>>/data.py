"""The handwritten digits that come with the course. Provided: you need not read it.

digits.npz holds 1,797 pictures of E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten
Digits, UCI Machine Learning Repository (1998), https://archive.ics.uci.edu/dataset/80, license
CC BY 4.0, https://creativecommons.org/licenses/by/4.0/. They were taken from the copy in
scikit-learn 1.9.1 (sklearn.datasets.load_digits), which holds the repository's test set. Changed:
stored as uint8, shuffled once, and split into 1,437 for training and 360 for testing, 36 of each
digit.
"""

from pathlib import Path

import numpy as np


def load_digits():
    """Return (pictures, labels) to train with, and the same to test with: 1,437 and 360, as arrays.

    Pictures are float32 of shape (N, 8, 8), ink from 0 to 1; labels are int64 of shape (N,).
    """
    with np.load(Path(__file__).with_name("digits.npz")) as file:
        return [
            (file[f"{part}_images"] / np.float32(16), file[f"{part}_labels"].astype(np.int64))
            for part in ("train", "test")
        ]
