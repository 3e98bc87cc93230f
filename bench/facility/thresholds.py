"""From where on a node is not what was ordered, or too slow: a site's own numbers, or these."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Thresholds(BaseModel):
    """Units are part of the names. A 0 is no threshold: the value is reported and not judged.

    The words, and where each number is from, are in the argument specs of the role `facility`, whose defaults a test
    compares with these.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cores_share_min: float = Field(default=0.9, ge=0, le=1)
    memory_share_min: float = Field(default=0.9, ge=0, le=1)
    allocatable_cores_share_min: float = Field(default=0.9, ge=0, le=1)
    allocatable_memory_share_min: float = Field(default=0.75, ge=0, le=1)
    disk_write_mb_s_min: float = Field(default=10, ge=0)
    disk_read_mb_s_min: float = Field(default=10, ge=0)
    disk_sync_ms_max: float = Field(default=0, ge=0)
    link_mbit_s_min: float = Field(default=500, ge=0)
    round_trip_ms_max: float = Field(default=5, ge=0)
    dns_ms_max: float = Field(default=50, ge=0)
    service_ms_max: float = Field(default=50, ge=0)
    pod_start_p95_s_max: float = Field(default=5, ge=0)
    image_pull_s_max: float = Field(default=0, ge=0)
    dask_workers_s_max: float = Field(default=60, ge=0)
    clock_offset_s_max: float = Field(default=1, ge=0)
    efficiency_share_min: float = Field(default=0.5, ge=0, le=1)
