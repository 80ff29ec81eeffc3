"""Learning end-to-end latency: the prior, the correction on top of it, and what both do on networks left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from predictor.correction import Boosting, Correction, choose_boosting, correction_inputs, fit_correction
from predictor.prior import AdditivePrior, choose_prior, fit_prior, fold_numbers, out_of_fold_prior

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen on left-out folds: shrinkage of the prior, and how much to boost, if at all."""

    strength: float
    boosting: Boosting | None


@dataclass(frozen=True, eq=False)
class Latency:
    """A learned latency of networks from their features."""

    prior: AdditivePrior
    correction: Correction | None

    def predict(self, features: Array) -> Array:
        """Seconds, (networks, columns) to (networks,)."""
        latency_s = self.prior.latency_s(features)
        if self.correction is None:
            return latency_s
        return np.asarray(latency_s * np.exp(self.correction.log_factor(correction_inputs(features, self.prior))))


def choose(features: Array, latency_s: Array, *, rng: np.random.Generator) -> Choice:
    """Choose by cross-validation on these networks alone."""
    strength = choose_prior(features, latency_s, rng=rng).strength
    inputs, log_ratio = _correction_data(features, latency_s, strength, rng)
    return Choice(strength, choose_boosting(inputs, log_ratio, rng=rng))


def learn(features: Array, latency_s: Array, choice: Choice, *, rng: np.random.Generator) -> Latency:
    """Fit the prior to all networks, and the correction to what an out-of-fold prior leaves."""
    prior = fit_prior(features, latency_s, strength=choice.strength)
    if choice.boosting is None:
        return Latency(prior, None)
    inputs, log_ratio = _correction_data(features, latency_s, choice.strength, rng)
    return Latency(prior, fit_correction(inputs, log_ratio, choice.boosting))


def out_of_fold(features: Array, latency_s: Array, choice: Choice, *, rng: np.random.Generator) -> Array:
    """Latency of each network, in seconds, as learned without its fold; the choice is taken as given."""
    predicted = np.empty_like(latency_s)
    folds = np.asarray(fold_numbers(len(latency_s), rng))
    for fold in np.unique(folds):
        left_out = folds == fold
        learned = learn(features[~left_out], latency_s[~left_out], choice, rng=rng)
        predicted[left_out] = learned.predict(features[left_out])
    return predicted


def _correction_data(
    features: Array, latency_s: Array, strength: float, rng: np.random.Generator
) -> tuple[Array, Array]:
    """What the trees see, and the log-ratio that they are to learn, both of the prior that left the network out."""
    folds = fold_numbers(len(latency_s), rng)
    left_out = out_of_fold_prior(features, latency_s, strength=strength, folds=folds)
    prior = fit_prior(features, latency_s, strength=strength)
    return correction_inputs(features, prior), np.log(latency_s / left_out)
