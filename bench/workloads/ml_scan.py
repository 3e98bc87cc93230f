"""Scan of the hyper-parameters of the top tagger with cross-validation: a training for each set of parameters and fold.

Every training has its random numbers from the seed, runs on one thread, and sees the same generated events: so the
results are the same whichever process does which, on processors of the same kind (BLAS chooses its arithmetic by the
processor, and the last bits with it).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .model import CutStep, Histogram, HistogramSpec, Outcome
from .numeric import library
from .tasks import Partial, TaskWorkload, filled, merged
from .toptagger import RESOLVED
from .toptagger_train import NETWORK, SEED, Sample, classifier, fitted, generated_sample, predicted

if TYPE_CHECKING:
    from ..engines.model import Job

SCORES = tuple(
    HistogramSpec(f"score_{kind}", f"scores of {kind} candidates, all parameters", "", 40, 0, 1)
    for kind in ("true", "false")
)
# A score above this counts as a top in the cut flow.
MIN_SCORE = 0.5
MILLION = 1_000_000


@dataclass(frozen=True)
class Parameters:
    """A point of the scan."""

    hidden: tuple[int, ...]
    alpha: float
    learning_rate: float
    iterations: int = 6

    @property
    def name(self) -> str:
        """As it is written in results."""
        return f"hidden {'-'.join(map(str, self.hidden))}, alpha {self.alpha:g}, rate {self.learning_rate:g}"

    def of_network(self) -> Mapping[str, Any]:
        """As scikit-learn calls them."""
        return {
            **NETWORK,
            "hidden_layer_sizes": self.hidden,
            "alpha": self.alpha,
            "learning_rate_init": self.learning_rate,
            "max_iter": self.iterations,
        }


@dataclass(frozen=True)
class Trial:
    """One training: number of the set of parameters, and the fold that is left out."""

    point: int
    fold: int


POINTS = tuple(
    Parameters(hidden, alpha, rate)
    for hidden, alpha, rate in product(((12,), (24, 12), (48, 24)), (1e-4, 1e-2), (1e-3, 3e-3))
)


@cache
def training_sample(seed: int, events: int) -> Sample:
    """Candidates of generated events: made once in every process."""
    return generated_sample(RESOLVED, seed, 0, events)


def folds_of(whole: Sample, folds: int) -> Any:
    """The fold of each candidate; those of one event are in the same, else a test would see what was trained on."""
    return whole.event % folds


@dataclass(frozen=True)
class MlScan(TaskWorkload):
    """All trainings of the scan, and the area under the curve of each set of parameters, averaged over the folds."""

    points: tuple[Parameters, ...] = POINTS
    folds: int = 4
    events: int = 2000
    seed: int = SEED

    name: str = "ml-scan"
    title: str = "hyper-parameters of the top tagger, cross-validated"
    tree: str = ""
    mass_histogram: str = ""

    def tasks(self, job: Job, slots: int) -> Sequence[Trial]:
        return [Trial(point, fold) for point in range(len(self.points)) for fold in range(self.folds)]

    def warm_up(self) -> None:
        training_sample(self.seed, self.events)
        for module in ("sklearn.neural_network", "sklearn.pipeline", "sklearn.preprocessing", "sklearn.metrics"):
            library(module)

    def process(self, task: Any, folder: Path) -> Partial:
        whole = training_sample(self.seed, self.events)
        tested = folds_of(whole, self.folds) == task.fold
        point: Parameters = self.points[int(task.point)]
        model = fitted(classifier(self.seed, point.of_network()), part(whole, ~tested))
        test = part(whole, tested)
        scores = predicted(model, test)
        above = scores > MIN_SCORE
        steps = (("all", "candidates tested", len(scores)), ("tagged", f"score > {MIN_SCORE:g}", int(above.sum())))
        return Partial(
            len(scores),
            tuple(CutStep(*step) for step in steps),
            {"true_candidates": int(test.labels.sum()), "true_tagged": int((test.labels & above).sum())},
            tuple(filled(spec, scores[kind]) for spec, kind in zip(SCORES, (test.labels, ~test.labels), strict=True)),
            values={str(task.point): float(library("sklearn.metrics").roc_auc_score(test.labels, scores))},
        )

    def combine(self, partials: Sequence[Partial]) -> Outcome:
        outcome = merged(partials)
        areas = [self.areas(partials, point) for point in range(len(self.points))]
        means = [float(np.mean(each)) for each in areas]
        best = int(np.argmax(means))
        tallies = {
            **outcome.tallies,
            **{
                f"area under the curve × 10⁶, {each.name}": round(mean * MILLION)
                for each, mean in zip(self.points, means, strict=True)
            },
            "best set of parameters": best,
        }
        return replace(outcome, tallies=tallies, histograms=(*outcome.histograms, area_histogram(areas)))

    def areas(self, partials: Sequence[Partial], point: int) -> list[float]:
        """Areas under the curve of one set of parameters, a value a fold."""
        return [each.values[str(point)] for each in partials if str(point) in each.values]

    def remarks(self) -> Mapping[str, str]:
        return {"sample": f"{self.events} generated events, seed {self.seed}"}


def part(whole: Sample, chosen: Any) -> Sample:
    """Some of the candidates."""
    return Sample(whole.features[chosen], whole.labels[chosen], whole.event[chosen])


def area_histogram(areas: Sequence[Sequence[float]]) -> Histogram:
    """A bin for each set of parameters: the mean over the folds, with the square of its error."""
    means = [float(np.mean(each)) for each in areas]
    squared_errors = [float(np.var(each, ddof=1) / len(each)) if len(each) > 1 else 0.0 for each in areas]
    places = np.arange(len(means)) + 0.5
    centre = float(np.average(places, weights=means))
    return Histogram(
        name="area",
        title="area under the curve of each set of parameters",
        unit="",
        weighted=True,
        edges=tuple(float(edge) for edge in range(len(means) + 1)),
        contents=(0.0, *means, 0.0),
        sumw2=(0.0, *squared_errors, 0.0),
        entries=sum(len(each) for each in areas),
        mean=centre,
        std_dev=float(np.sqrt(np.average((places - centre) ** 2, weights=means))),
    )
