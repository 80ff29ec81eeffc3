"""Evaluation of boosted trees: one evaluator for one row and for many.

XGBoost spends most of the time of a single row on the call. Here every tree is padded to a complete binary tree, so
that all trees and all rows go down one level in one vector step over flat arrays. A row's result does not depend on
the rows beside it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hyctas.errors import ArtifactError

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Trees:
    """Complete binary trees of equal depth.

    Attributes:
        features: Column that each inner node compares, (trees, 2 ** depth - 1), in level order.
        thresholds: A value below goes left, (trees, 2 ** depth - 1).
        leaves: Values of the leaves, (trees, 2 ** depth).
        depth: Levels of inner nodes.
    """

    features: npt.NDArray[np.intp]
    thresholds: npt.NDArray[np.float32]
    leaves: Array
    depth: int

    def predict(self, inputs: Array) -> Array:
        """Sum of the reached leaves, (rows, columns) to (rows,)."""
        rows = np.ascontiguousarray(inputs, dtype=np.float32)
        values, features, thresholds = rows.ravel(), self.features.ravel(), self.thresholds.ravel()
        count, inner = self.features.shape
        row_start = (np.arange(len(rows)) * rows.shape[1])[:, None]
        tree_start = np.arange(count) * inner
        node = np.tile(tree_start, (len(rows), 1))
        for _ in range(self.depth):
            right = values.take(row_start + features.take(node)) >= thresholds.take(node)
            node *= 2
            node += right
            node += 1 - tree_start
        leaf_start = np.arange(count) * (inner + 1)
        return np.asarray(self.leaves.ravel().take(node + (leaf_start - tree_start - inner)).sum(axis=1))


def parse_trees(booster_json: bytes) -> Trees:
    """Read the trees out of a booster in XGBoost's JSON format with a base score of 0.

    Raises:
        ArtifactError: The data is not such a booster.
    """
    try:
        trees = json.loads(booster_json)["learner"]["gradient_booster"]["model"]["trees"]
        depth = max((_depth(tree, 0) for tree in trees), default=0)
        padded = [_padded(tree, depth) for tree in trees]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ArtifactError(f"not a booster in XGBoost's JSON format: {error}") from error
    inner, leaves = 2**depth - 1, 2**depth
    return Trees(
        np.array([features for features, _, _ in padded], np.intp).reshape(len(padded), inner),
        np.array([thresholds for _, thresholds, _ in padded], np.float32).reshape(len(padded), inner),
        np.array([values for _, _, values in padded], np.float64).reshape(len(padded), leaves),
        depth,
    )


def _depth(tree: Mapping[str, Any], node: int) -> int:
    left, right = tree["left_children"][node], tree["right_children"][node]
    return 0 if left < 0 else 1 + max(_depth(tree, left), _depth(tree, right))


def _padded(tree: Mapping[str, Any], depth: int) -> tuple[Sequence[int], Sequence[float], Sequence[float]]:
    """Features, thresholds and leaves of one tree in level order; below an early leaf everything is that leaf."""
    features = [0] * (2**depth - 1)
    thresholds = [float("inf")] * (2**depth - 1)
    level = [0]
    for step in range(depth):
        below = []
        for offset, node in enumerate(level):
            left, right = tree["left_children"][node], tree["right_children"][node]
            if left < 0:
                below += [node, node]
                continue
            position = 2**step - 1 + offset
            features[position] = tree["split_indices"][node]
            thresholds[position] = tree["split_conditions"][node]
            below += [left, right]
        level = below
    return features, thresholds, [tree["split_conditions"][node] for node in level]
