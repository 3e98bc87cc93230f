"""Where a workload runs: in this process, on local Dask workers, on any Dask scheduler, in the cluster."""
