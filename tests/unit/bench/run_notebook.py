"""Runs the code of a notebook, cell by cell, with a Dask cluster of this machine in place of the facility's (a double).

python run_notebook.py NOTEBOOK
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import distributed

import bench.dask


def local(n: int = 2) -> distributed.LocalCluster:
    return distributed.LocalCluster(n_workers=n, threads_per_worker=1, processes=True, dashboard_address=None)


if __name__ == "__main__":
    bench.dask.cluster = local
    names: dict[str, object] = {}
    for cell in json.loads(Path(sys.argv[1]).read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
