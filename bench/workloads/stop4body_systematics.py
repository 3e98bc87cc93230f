"""Trees and weights of the 4-body stop analysis: which systematic variations there are, and what they are called.

From INFN Napoli's notebook (September 2024) and arXiv:2102.01444: one tree for each variation of the kinematics, one
pair of columns of the nominal tree for each variation of the event weight.
"""

from __future__ import annotations

NOMINAL_TREE = "Wt_WEIGHTS"
UP, DOWN = "1up", "1down"

# Kinematics, up and down.
TWO_SIDED = (
    "EG_RESOLUTION_ALL",
    "EG_SCALE_ALL",
    "JET_EtaIntercalibration_NonClosure_highE",
    "JET_EtaIntercalibration_NonClosure_negEta",
    "JET_EtaIntercalibration_NonClosure_posEta",
    "JET_Flavor_Response",
    "JET_GroupedNP_1",
    "JET_GroupedNP_2",
    "JET_GroupedNP_3",
    "MUON_ID",
    "MUON_MS",
    "MUON_SAGITTA_RESBIAS",
    "MUON_SAGITTA_RHO",
    "MUON_SCALE",
    "MET_SoftTrk_Scale",
)

# Kinematics, one side only: the other one is mirrored at the nominal yield.
ONE_SIDED = (
    "JET_JER_DataVsMC_MC16",
    "JET_JER_EffectiveNP_1",
    "JET_JER_EffectiveNP_2",
    "JET_JER_EffectiveNP_3",
    "JET_JER_EffectiveNP_4",
    "JET_JER_EffectiveNP_5",
    "JET_JER_EffectiveNP_6",
    "JET_JER_EffectiveNP_7restTerm",
    "MET_SoftTrk_ResoPara",
    "MET_SoftTrk_ResoPerp",
)

# Event weights: the nominal tree has `<name>__1up` and `<name>__1down`, factors that multiply the nominal weight.
WEIGHTS = (
    *(f"EL_EFF_{kind}_TOTAL_1NPCOR_PLUS_UNCOR" for kind in ("ChargeIDSel", "ID", "Iso", "Reco")),
    *(f"MUON_EFF_{kind}_{of}" for kind in ("BADMUON", "ISO", "TTVA", "RECO") for of in ("STAT", "SYS")),
    "MUON_EFF_RECO_STAT_LOWPT",
    "MUON_EFF_RECO_SYS_LOWPT",
    *(f"FT_EFF_{flavour}_systematics" for flavour in ("B", "C", "Light")),
    "FT_EFF_extrapolation",
    "FT_EFF_extrapolation_from_charm",
    "JET_JvtEfficiency",
    "PRW_DATASF",
)

VARIATIONS = (
    *(f"{name}__{UP}" for name in ONE_SIDED),
    *(f"{name}__{side}" for name in TWO_SIDED for side in (UP, DOWN)),
)


def tree_of(variation: str) -> str:
    """Name of the tree that holds a variation of the kinematics."""
    return f"Wt_{variation}"
