"""Fit of m(ee): a Breit-Wigner convolved with a Crystal Ball, on a Chebychev background, by RooFit.

Model, range and starting values are those of INFN Napoli's notebooks `test_Zee*.ipynb`, with the tail of the Crystal
Ball as fixed there; the width of the Z is fixed, its mass is free. They fitted smeared masses, and so does this where
there are some: the beams of the sample have one energy, so that without smearing the peak is narrower than the Z.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..workloads import Histogram, Outcome
from ..workloads.fcc_zee import smeared_histogram
from ..workloads.root import load

# GeV. Particle Data Group, Review of Particle Physics (2022).
Z_MASS_GEV = 91.1876
Z_WIDTH_GEV = 2.4952
# Of the Crystal Ball. Free, they and the background would describe the same events, and the fit would hardly converge.
TAIL_ALPHA = 1.3
TAIL_N = 5.1
ACCURATE_COVARIANCE = 3
# Points of the Fourier transform that convolves, in the range of the fit and its buffer: 1.4 MeV each.
CONVOLUTION_BINS = 10_000
BUFFER_FRACTION = 0.5
# Nearer to a limit than this part of its range a parameter is at it, and its error means nothing.
AT_LIMIT = 1e-3
# A p-value below this is taken to say that the model is another than the data's.
POOR_P_VALUE = 1e-3


@dataclass(frozen=True)
class FitParameter:
    """A free parameter of a fit. `error` is that of the Hesse matrix; none where it is no number."""

    name: str
    unit: str
    value: float
    error: float | None
    at_limit: bool


@dataclass(frozen=True)
class MassFit:
    """Result of an extended binned maximum-likelihood fit.

    `status` is that of Minuit (0: converged; -1: the fit was not tried), `covariance_quality` that of RooFit (3: full
    and accurate). `events` are those between the edges of the histogram, of the input read once. `chi2` is Pearson's,
    of all bins, with the fitted expectation as variance; none where it is no number. `expected` are the events that the
    fitted model has in each bin between the edges; empty where the fit was not tried.
    """

    histogram: str
    title: str
    events: int
    parameters: tuple[FitParameter, ...]
    status: int
    covariance_quality: int
    edm: float | None
    chi2: float | None
    ndf: int
    p_value: float | None
    expected: tuple[float, ...] = ()

    @property
    def converged(self) -> bool:
        """Whether values and errors are those of a minimum."""
        return self.status == 0 and self.covariance_quality == ACCURATE_COVARIANCE

    @property
    def remarks(self) -> tuple[str, ...]:
        """What speaks against the result, in words."""
        found: list[str] = []
        if self.status == -1:
            found.append(f"NOT DONE: {self.events} events are too few")
        elif not self.converged:
            found.append(f"NOT CONVERGED: status {self.status}, covariance quality {self.covariance_quality}")
        found += [f"{each.name} is at its limit: no error" for each in self.parameters if each.at_limit]
        if self.p_value is not None and self.p_value < POOR_P_VALUE:
            found.append("the model does not describe the data")
        return tuple(found)

    def parameter(self, name: str) -> FitParameter:
        """The parameter of that name."""
        return next(each for each in self.parameters if each.name == name)


def fit_mass(outcome: Outcome, replicas: int = 1) -> MassFit:
    """Fit the mass after its first smearing, or without smearing where there is none.

    Parameters
    ----------
    outcome : Outcome
        Result of fcc-zee.
    replicas : int
        How often the input was read: the same events again are no more statistics.
    """
    names = {each.name for each in outcome.histograms}
    smeared = smeared_histogram(1)
    return fit_histogram(outcome.histogram(smeared if smeared in names else "m_ee"), replicas)


def fit_histogram(histogram: Histogram, replicas: int = 1) -> MassFit:
    """Fit one histogram of m(ee). The same histogram gives the same result."""
    root = load()
    low, high = histogram.edges[0], histogram.edges[-1]
    n_bins = len(histogram.edges) - 1
    filled = root.TH1D("m_ee_to_fit", "", n_bins, low, high)
    filled.SetDirectory(root.nullptr)
    for i, content in enumerate(histogram.contents[1:-1], start=1):
        filled.SetBinContent(i, content / replicas)
    events = round(filled.Integral())
    with quiet(root):
        model = _Model(root, low, high, events)
        if events <= len(model.free):
            return MassFit(histogram.name, histogram.title, events, (), -1, -1, None, None, 0, None)
        data = root.RooDataHist("data", "", root.RooArgList(model.mass), filled)
        fit = root.RooFit
        options = fit.Save(), fit.Extended(), fit.Strategy(2), fit.PrintLevel(-1)
        result = model.pdf.fitTo(data, *options)
        if not at_limit(model.background):
            # Without a background its slope could be any.
            model.free.append((model.slope, ""))
            model.slope.setConstant(False)
            result = model.pdf.fitTo(data, *options)
        distance = model.pdf.createChi2(data, fit.Extended(), fit.DataError(root.RooAbsData.Expected))
        chi2 = float(distance.getVal())
        ndf = n_bins - len(model.free)
        return MassFit(
            histogram=histogram.name,
            title=histogram.title,
            events=events,
            parameters=tuple(model.fitted(variable, unit) for variable, unit in model.free),
            status=int(result.status()),
            covariance_quality=int(result.covQual()),
            edm=finite(result.edm()),
            chi2=finite(chi2),
            ndf=ndf,
            p_value=float(root.TMath.Prob(chi2, ndf)) if math.isfinite(chi2) and ndf > 0 else None,
            expected=model.expected(root, n_bins, low, high),
        )


class _Model:
    """RooFit's objects, which refer to each other without keeping each other alive."""

    def __init__(self, root: Any, low: float, high: float, events: int) -> None:
        def variable(name: str, *start_low_high: float) -> Any:
            return root.RooRealVar(name, "", *start_low_high)

        self.mass = variable("m_ee", low, high)
        self.mass.setBins(CONVOLUTION_BINS, "cache")
        peak = variable("mass", Z_MASS_GEV, low, high)
        sigma = variable("sigma", 2.6, 0.05, 6)
        signal = variable("signal", 0.9 * events, 0, 1.5 * events)
        self.background = variable("background", 0.1 * events, 0, 1.5 * events)
        self.slope = variable("slope", 0, -1, 1)
        self.slope.setConstant()
        self.free = [(peak, "GeV"), (sigma, "GeV"), (signal, "events"), (self.background, "events")]
        width, shift, alpha, n = map(root.RooFit.RooConst, (Z_WIDTH_GEV, 0, TAIL_ALPHA, TAIL_N))
        line = root.RooBreitWigner("line", "", self.mass, peak, width)
        resolution = root.RooCBShape("resolution", "", self.mass, shift, sigma, alpha, n)
        convolved = root.RooFFTConvPdf("convolved", "", self.mass, line, resolution)
        convolved.setBufferFraction(BUFFER_FRACTION)
        straight = root.RooChebychev("straight", "", self.mass, root.RooArgList(self.slope))
        shapes, yields = root.RooArgList(convolved, straight), root.RooArgList(signal, self.background)
        self.pdf = root.RooAddPdf("sum", "", shapes, yields)
        self._kept = (line, resolution, convolved, straight)

    def expected(self, root: Any, n_bins: int, low: float, high: float) -> tuple[float, ...]:
        """Events of the model in each of so many bins."""
        shape = self.pdf.createHistogram("expected", self.mass, root.RooFit.Binning(n_bins, low, high))
        scale = sum(variable.getVal() for variable, unit in self.free if unit == "events") / shape.Integral()
        return tuple(float(scale * shape.GetBinContent(i)) for i in range(1, n_bins + 1))

    @staticmethod
    def fitted(variable: Any, unit: str) -> FitParameter:
        """A parameter after the fit."""
        value, error = float(variable.getVal()), finite(variable.getError())
        return FitParameter(str(variable.GetName()), unit, value, error, at_limit(variable))


def at_limit(variable: Any) -> bool:
    """Whether a parameter has come to an end of its range."""
    value, low, high = variable.getVal(), variable.getMin(), variable.getMax()
    return bool(min(value - low, high - value) < AT_LIMIT * (high - low))


def finite(value: float) -> float | None:
    """The number, or nothing where it is none."""
    return float(value) if math.isfinite(value) else None


@contextmanager
def quiet(root: Any) -> Generator[None]:
    """Keep RooFit from telling what it does; what it thinks of the result is in its status."""
    service = root.RooMsgService.instance()
    before = service.globalKillBelow()
    service.setGlobalKillBelow(root.RooFit.FATAL)
    try:
        yield
    finally:
        service.setGlobalKillBelow(before)
