"""Inputs that are known by name: address, size, checksum, and what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Dataset:
    """A public file.

    `expected_cutflow` holds the events after each step of the workload of the same name, found once with this file
    and checked by an independent loop; a run on the file that finds others is wrong. `url` is "" where no public
    address is known.
    """

    name: str
    title: str
    file_name: str
    url: str
    size_bytes: int
    sha256: str
    tree: str
    entries: int
    expected_cutflow: Mapping[str, int] = field(default_factory=dict[str, int])


CATALOGUE: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            name="fcc-zee",
            title="FCC-ee Z → ee, Delphes IDEA, EDM4hep",
            file_name="ee_Z_ee_EDM4Hep.root",
            url="https://raw.githubusercontent.com/adonofri/INFN_na_interactive_analysis/"
            "e7b21c3be83e9a54a6553e6bc82d010bf068f2df/ee_Z_ee_EDM4Hep.root",
            size_bytes=3_825_194,
            sha256="a9e8986a8844d602773464b28de8da8bfd2cc7a0020d5d51c2efaad804007baa",
            tree="events",
            entries=5000,
            expected_cutflow={"all": 5000, "two_electrons": 2918, "pt": 2820, "pair": 2820, "mass": 2783},
        ),
        Dataset(
            name="cms-tprime-skim",
            title="CMS simulation, tt̄, NanoAOD v12",
            file_name="nano_tt_v12.root",
            url="",
            size_bytes=980_772,
            sha256="bc9afdac1e5e1bf820f79e4f8d4942c893ed2accfcb2e49bb63b69727b59af3b",
            tree="Events",
            entries=200,
            expected_cutflow={"all": 200, "vertex": 200, "filters": 200, "trigger": 200, "met": 175, "jets": 175},
        ),
    )
}
