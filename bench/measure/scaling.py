"""Laws of scaling, fitted to speed-ups over the number of workers.

Each law is quoted only where the data can tell: more numbers of workers than parameters, three passes or more at each,
and a parameter whose interval leaves out zero. What is not quoted says why.

Sources
-------
G. M. Amdahl, AFIPS Conf. Proc. 30 (1967) 483 (fixed work). J. L. Gustafson, Commun. ACM 31 (1988) 532 (work that grows
with the workers). N. J. Gunther, Guerrilla Capacity Planning, Springer 2007, ch. 4 (universal scalability law).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .statistics import CONFIDENCE, SEED, Estimate, Floats

# Each of them is a fit: fewer than for medians.
RESAMPLES = 400
FEWEST_PASSES = 3


@dataclass(frozen=True)
class Scaling:
    """Times of passes over one input, in seconds: in one serial process, and on a number of workers."""

    workers: int
    serial_s: tuple[float, ...]
    distributed_s: tuple[float, ...]

    @property
    def passes(self) -> int:
        return min(len(self.serial_s), len(self.distributed_s))


@dataclass(frozen=True)
class Law:
    """Speed-up as a function of the number of workers and of parameters.

    `speed_up(n, gain, *shares)`: `gain` is the speed-up of a single worker against the serial process, which is below
    one where tasks cost something; the shares are those named, in the same order, with `limits` above.
    """

    name: str
    formula: str
    shares: tuple[str, ...]
    limits: tuple[float, ...]
    speed_up: Callable[..., Any]


def amdahl(n: Any, gain: float, s: float) -> Any:
    """Speed-up with a share `s` of the work that one worker has to do alone."""
    return gain / (s + (1 - s) / n)


def usl(n: Any, gain: float, sigma: float, kappa: float) -> Any:
    """Speed-up with waiting for what is shared (`sigma`) and agreement of each with each (`kappa`)."""
    return gain * n / (1 + sigma * (n - 1) + kappa * n * (n - 1))


def gustafson(n: Any, gain: float, s: float) -> Any:
    """Speed-up where the work grows with the workers, but for a share `s`."""
    return gain * (n - s * (n - 1))


AMDAHL = Law(
    "Amdahl",
    "S(n) = g / (s + (1 - s) / n)",
    ("serial share s",),
    (1.0,),
    amdahl,
)
USL = Law(
    "USL",
    "S(n) = g n / (1 + σ (n - 1) + κ n (n - 1))",
    ("contention σ", "coherency κ"),
    (1.0, 1.0),
    usl,
)
GUSTAFSON = Law(
    "Gustafson",
    "S(n) = g (n - s (n - 1))",
    ("serial share s",),
    (1.0,),
    gustafson,
)
STRONG, WEAK = (AMDAHL, USL), (GUSTAFSON,)


@dataclass(frozen=True)
class Fit:
    """A law fitted to speed-ups.

    `parameters` have bootstrap intervals (passes resampled at each number of workers, 95 %); `residual` is the root
    mean square of measured over fitted minus one. `why_not` is empty where the fit may be quoted.
    """

    law: str
    formula: str
    parameters: dict[str, Estimate]
    residual: float
    why_not: str = ""

    @property
    def quoted(self) -> bool:
        """Whether the data are enough for the law to be quoted."""
        return not self.why_not

    def words(self) -> str:
        """One line."""
        if not self.quoted:
            return f"{self.law}: not quoted, {self.why_not}"
        values = ", ".join(f"{name} = {each}" for name, each in self.parameters.items())
        return f"{self.law}, {self.formula}: {values} (95 %); residual {self.residual:.1%}"


def fit(law: Law, points: Sequence[Scaling]) -> Fit:
    """Fit a law to the speed-ups of some numbers of workers."""
    numbers = sorted({each.workers for each in points})
    n_parameters = 1 + len(law.shares)
    if len(numbers) <= n_parameters:
        told = ", ".join(map(str, numbers)) or "none"
        return Fit(
            law.name, law.formula, {}, 0.0, f"{n_parameters} parameters need more numbers of workers than {told}"
        )
    if min(each.passes for each in points) < FEWEST_PASSES:
        return Fit(law.name, law.formula, {}, 0.0, f"fewer than {FEWEST_PASSES} passes at a number of workers")
    n = np.array([each.workers for each in points], dtype=np.float64)
    measured = np.array([np.median(each.serial_s) / np.median(each.distributed_s) for each in points])
    best: Floats = _parameters(law, n, measured)
    rng = np.random.default_rng(SEED)
    tries = np.array([_parameters(law, n, _resampled(points, rng)) for _ in range(RESAMPLES)])
    low, high = np.quantile(tries, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
    least = min(each.passes for each in points)
    estimates = {
        name: Estimate(float(best[i]), float(low[i]), float(high[i]), least)
        for i, name in enumerate(("gain g", *law.shares))
    }
    fitted = np.asarray(law.speed_up(n, *best.tolist()), dtype=np.float64)
    residual = float(np.sqrt(np.mean((measured / fitted - 1) ** 2)))
    # A bound at zero is never left out by an interval that touches it; what is smaller than this is no effect.
    void = [name for name in law.shares if estimates[name].low <= 1e-6]
    # The last parameter is what a law has more than the one before it.
    last = law.shares[-1]
    why_not = f"{last} may be zero (at most {estimates[last].high:.2g}, 95 %)" if last in void else ""
    return Fit(law.name, law.formula, estimates, residual, why_not)


def _parameters(law: Law, n: Floats, measured: Floats) -> Floats:
    optimize: Any = importlib.import_module("scipy.optimize")
    start = [float(measured[0] / n[0] ** 0.9), *(0.05 for _ in law.shares)]
    bounds = ([1e-6, *(0.0 for _ in law.shares)], [np.inf, *law.limits])

    def off(parameters: Floats) -> Floats:
        # Relative, so that large speed-ups count no more than small ones.
        expected: Any = law.speed_up(n, *parameters.tolist())
        return np.asarray(expected / measured - 1, dtype=np.float64)

    # This method leaves the linear algebra to NumPy. SciPy's own LAPACK asks for absurd sizes of memory in a process in
    # which ROOT has compiled a graph (seen with SciPy 1.17.1 and ROOT 6.40).
    return np.asarray(optimize.least_squares(off, start, bounds=bounds, method="dogbox").x, dtype=np.float64)


def _resampled(points: Sequence[Scaling], rng: np.random.Generator) -> Floats:
    def middle(times: tuple[float, ...]) -> float:
        return float(np.median(rng.choice(np.asarray(times), len(times))))

    return np.array([middle(each.serial_s) / middle(each.distributed_s) for each in points])
