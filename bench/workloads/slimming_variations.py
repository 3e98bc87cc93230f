"""Cuts, variations and kept columns of the slimming of DAOD_PHYSLITE.

ATLAS's calibration tools are not to be had here. What they do to an event is replaced by shifts with one parameter
each; the names are those of the trees that the notebooks of INFN Napoli read (10 one-sided and 15 two-sided ones), the
sizes are of the order that ATLAS quotes and none is taken from a paper: all are unverified, and every output says so.
"""

from __future__ import annotations

from dataclasses import dataclass

UNVERIFIED = "unverified"
GAMBIT = "GAMBIT, ATLAS_SUSY_2018_08 (139 fb-1)"


@dataclass(frozen=True)
class Cut:
    """A number of the selection; lengths in η and φ, momenta in GeV."""

    value: float
    source: str


CUTS: dict[str, Cut] = {
    "electron_pt": Cut(4.5, GAMBIT),
    "electron_eta": Cut(2.47, GAMBIT),
    "muon_pt": Cut(4.0, GAMBIT),
    "muon_eta": Cut(2.4, GAMBIT),
    # The low bits of `quality`: 0 tight, 1 medium, 2 loose, 3 very loose.
    "muon_quality": Cut(1, UNVERIFIED),
    "jet_pt": Cut(20.0, GAMBIT),
    "jet_eta": Cut(2.8, GAMBIT),
    "jvt_pt": Cut(120.0, GAMBIT),
    "jvt_eta": Cut(2.5, GAMBIT),
    # DL1dv01 = log(pb / (f pc + (1 - f) pu)).
    "btag": Cut(2.456, UNVERIFIED),
    "btag_charm_fraction": Cut(0.018, UNVERIFIED),
    "btag_eta": Cut(2.5, UNVERIFIED),
    "overlap_electron_muon": Cut(0.01, GAMBIT),
    "overlap_jet_electron": Cut(0.2, GAMBIT),
    "overlap_b_jet_electron_pt": Cut(100.0, GAMBIT),
    # A lepton within min(0.4, 0.04 + 10 GeV / pT) of a jet is removed.
    "overlap_lepton": Cut(0.04, GAMBIT),
    "overlap_lepton_slope": Cut(10.0, GAMBIT),
    "overlap_lepton_max": Cut(0.4, GAMBIT),
    # xAOD's number of the primary vertex among the types of vertices.
    "vertex_type": Cut(1, "xAOD::VxType::PriVtx"),
    "leptons": Cut(2, UNVERIFIED),
    "jets": Cut(1, UNVERIFIED),
}


@dataclass(frozen=True)
class Shift:
    """A variation of the event.

    Parameters
    ----------
    name : str
        Name in the output.
    target : str
        What is shifted: `<object>_scale` and `<object>_resolution` (relative, in pT), `muon_sagitta` (of charge/pT, in
        1/GeV), `soft_scale`, `soft_parallel` and `soft_perpendicular` (of the soft term, in GeV, along or across the
        sum of the selected objects; the latter two are resolutions).
    size : float
        By how much; of a resolution, the width of the smearing.
    eta : tuple of float
        Bounds of |η|.
    side : int
        +1 or -1: only in that half of the detector.
    """

    name: str
    target: str
    size: float
    eta: tuple[float, float] = (0.0, 99.0)
    side: int = 0
    source: str = UNVERIFIED


NOMINAL = Shift("nominal", "nominal", 0.0, source="the file as it is")


def two_sided(
    name: str, target: str, size: float, eta: tuple[float, float] = (0.0, 99.0), side: int = 0
) -> tuple[Shift, Shift]:
    """A shift up and down."""
    return Shift(f"{name}__1up", target, size, eta, side), Shift(f"{name}__1down", target, -size, eta, side)


def one_sided(name: str, target: str, size: float) -> tuple[Shift]:
    """A shift up; the analysis reflects it."""
    return (Shift(f"{name}__1up", target, size),)


ETA = "JET_EtaIntercalibration_NonClosure"
VARIATIONS: tuple[Shift, ...] = (
    NOMINAL,
    *two_sided("EG_RESOLUTION_ALL", "electron_resolution", 0.01),
    *two_sided("EG_SCALE_ALL", "electron_scale", 0.003),
    *two_sided(f"{ETA}_highE", "jet_scale", 0.01, (2.4, 4.5)),
    *two_sided(f"{ETA}_negEta", "jet_scale", 0.01, (2.0, 4.5), -1),
    *two_sided(f"{ETA}_posEta", "jet_scale", 0.01, (2.0, 4.5), +1),
    *two_sided("JET_Flavor_Response", "jet_scale", 0.015),
    *two_sided("JET_GroupedNP_1", "jet_scale", 0.02),
    *two_sided("JET_GroupedNP_2", "jet_scale", 0.01),
    *two_sided("JET_GroupedNP_3", "jet_scale", 0.005),
    *two_sided("MUON_ID", "muon_resolution", 0.01),
    *two_sided("MUON_MS", "muon_resolution", 0.015),
    *two_sided("MUON_SAGITTA_RESBIAS", "muon_sagitta", 1e-4),
    *two_sided("MUON_SAGITTA_RHO", "muon_sagitta", 5e-5),
    *two_sided("MUON_SCALE", "muon_scale", 0.001),
    Shift("MET_SoftTrk_ScaleUp", "soft_scale", 1.5),
    Shift("MET_SoftTrk_ScaleDown", "soft_scale", -1.5),
    *one_sided("JET_JER_DataVsMC_MC16", "jet_resolution", 0.03),
    *(each for n in range(1, 7) for each in one_sided(f"JET_JER_EffectiveNP_{n}", "jet_resolution", 0.05 / n)),
    *one_sided("JET_JER_EffectiveNP_7restTerm", "jet_resolution", 0.01),
    Shift("MET_SoftTrk_ResoPara", "soft_parallel", 3.0),
    Shift("MET_SoftTrk_ResoPerp", "soft_perpendicular", 3.0),
)


@dataclass(frozen=True)
class Kept:
    """A column of the file that is kept; of objects, for the kept objects.

    `kind` is float, id (unsigned, 64 bits), float[] or int[]. One that is not needed may be missing in a file: data
    have no truth.
    """

    object: str
    container: str
    column: str
    kind: str
    name: str
    needed: bool = False


ELECTRONS, MUONS, JETS = "AnalysisElectrons", "AnalysisMuons", "AnalysisJets"
KEPT: tuple[Kept, ...] = (
    Kept("event", "EventInfo", "runNumber", "id", "run_number", True),
    Kept("event", "EventInfo", "eventNumber", "id", "event_number", True),
    Kept("event", "EventInfo", "lumiBlock", "id", "lumi_block"),
    Kept("event", "EventInfo", "mcChannelNumber", "id", "mc_channel"),
    Kept("event", "EventInfo", "mcEventWeights", "float[]", "mc_weights"),
    Kept("event", "EventInfo", "PileupWeight_NOSYS", "float", "pileup_weight"),
    Kept("event", "EventInfo", "averageInteractionsPerCrossing", "float", "average_mu", True),
    Kept("event", "EventInfo", "GenFiltMET", "float", "gen_filter_met"),
    Kept("event", "EventInfo", "GenFiltHT", "float", "gen_filter_ht"),
    Kept("el", ELECTRONS, "eta", "float[]", "el_eta", True),
    Kept("el", ELECTRONS, "phi", "float[]", "el_phi", True),
    Kept("el", ELECTRONS, "m", "float[]", "el_m", True),
    Kept("el", ELECTRONS, "charge", "float[]", "el_charge", True),
    Kept("el", ELECTRONS, "topoetcone20", "float[]", "el_topoetcone20"),
    Kept("el", ELECTRONS, "ptvarcone30_Nonprompt_All_MaxWeightTTVALooseCone_pt1000", "float[]", "el_ptvarcone30"),
    Kept("el", ELECTRONS, "DFCommonElectronsLHMedium", "int[]", "el_medium"),
    Kept("el", ELECTRONS, "DFCommonElectronsLHTight", "int[]", "el_tight"),
    Kept("el", ELECTRONS, "truthType", "int[]", "el_truth_type"),
    Kept("el", ELECTRONS, "truthOrigin", "int[]", "el_truth_origin"),
    Kept("mu", MUONS, "eta", "float[]", "mu_eta", True),
    Kept("mu", MUONS, "phi", "float[]", "mu_phi", True),
    Kept("mu", MUONS, "charge", "float[]", "mu_charge", True),
    Kept("mu", MUONS, "topoetcone20", "float[]", "mu_topoetcone20"),
    Kept("mu", MUONS, "ptvarcone30_Nonprompt_All_MaxWeightTTVA_pt500", "float[]", "mu_ptvarcone30"),
    Kept("mu", MUONS, "quality", "int[]", "mu_quality", True),
    Kept("mu", MUONS, "truthType", "int[]", "mu_truth_type"),
    Kept("mu", MUONS, "truthOrigin", "int[]", "mu_truth_origin"),
    Kept("jet", JETS, "eta", "float[]", "jet_eta", True),
    Kept("jet", JETS, "phi", "float[]", "jet_phi", True),
    Kept("jet", JETS, "NNJvtPass", "int[]", "jet_jvt", True),
    Kept("jet", JETS, "HadronConeExclTruthLabelID", "int[]", "jet_truth_label"),
)

BTAGGING, MET, VERTICES = "BTagging_AntiKt4EMPFlow", "MET_Core_AnalysisMET", "PrimaryVertices"
# What the selection reads, under the names that the library knows.
READ: dict[str, tuple[str, str]] = {
    "run": ("EventInfo", "runNumber"),
    "event": ("EventInfo", "eventNumber"),
    "clean": ("EventInfo", "DFCommonJets_eventClean_LooseBad"),
    "vertex_type": (VERTICES, "vertexType"),
    "el_pt": (ELECTRONS, "pt"),
    "el_eta": (ELECTRONS, "eta"),
    "el_phi": (ELECTRONS, "phi"),
    "el_m": (ELECTRONS, "m"),
    "el_charge": (ELECTRONS, "charge"),
    "el_loose": (ELECTRONS, "DFCommonElectronsLHLooseBL"),
    "mu_pt": (MUONS, "pt"),
    "mu_eta": (MUONS, "eta"),
    "mu_phi": (MUONS, "phi"),
    "mu_charge": (MUONS, "charge"),
    "mu_quality": (MUONS, "quality"),
    "jet_pt": (JETS, "pt"),
    "jet_eta": (JETS, "eta"),
    "jet_phi": (JETS, "phi"),
    "jet_m": (JETS, "m"),
    "jet_jvt": (JETS, "NNJvtPass"),
    "btag_b": (BTAGGING, "DL1dv01_pb"),
    "btag_c": (BTAGGING, "DL1dv01_pc"),
    "btag_u": (BTAGGING, "DL1dv01_pu"),
    "met_name": (MET, "name"),
    "met_x": (MET, "mpx"),
    "met_y": (MET, "mpy"),
}
