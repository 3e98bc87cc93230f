"""Cinder's driver: a volume is a sparse file, which Nova's driver attaches as a loop device."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from cinder import exception
from cinder.volume import driver

from lab.settings import of_this_process

GIB = 2**30


class FileDriver(driver.VolumeDriver):
    """Volumes, snapshots and clones are files and sparse copies of files."""

    VERSION = "1.0"
    CI_WIKI_NAME = "none"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _, state = of_this_process()
        self._folder = state / "cloud/cinder/volumes"

    def check_for_setup_error(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _path(self, thing: Any) -> Path:
        return self._folder / thing.name

    def _copy(self, source: Path, target: Path) -> None:
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", str(source), str(target)], check=True)

    def _make(self, volume: Any, source: Path | None = None) -> None:
        if source:
            self._copy(source, self._path(volume))
        with self._path(volume).open("ab") as file:
            file.truncate(volume.size * GIB)

    def _update_volume_stats(self) -> None:
        usage = shutil.disk_usage(self._folder)
        self._stats = {
            "volume_backend_name": "files",
            "vendor_name": "lab",
            "driver_version": self.VERSION,
            "storage_protocol": "local",
            "total_capacity_gb": usage.total / GIB,
            "free_capacity_gb": usage.free / GIB,
            "reserved_percentage": 0,
            # files are sparse: what is promised may be more than the disk has
            "thin_provisioning_support": True,
            "max_over_subscription_ratio": "20",
            "provisioned_capacity_gb": sum(file.stat().st_size for file in self._folder.iterdir()) / GIB,
            "multiattach": False,
        }

    def create_volume(self, volume: Any) -> None:
        self._make(volume)

    def create_volume_from_snapshot(self, volume: Any, snapshot: Any) -> None:
        self._make(volume, self._path(snapshot))

    def create_cloned_volume(self, volume: Any, src_vref: Any) -> None:
        self._make(volume, self._path(src_vref))

    def create_snapshot(self, snapshot: Any) -> None:
        self._copy(self._folder / snapshot.volume_name, self._path(snapshot))

    def delete_volume(self, volume: Any) -> None:
        self._path(volume).unlink(missing_ok=True)

    def delete_snapshot(self, snapshot: Any) -> None:
        self._path(snapshot).unlink(missing_ok=True)

    def extend_volume(self, volume: Any, new_size: int) -> None:
        os.truncate(self._path(volume), new_size * GIB)

    def copy_image_to_volume(self, context: Any, volume: Any, image_service: Any, image_id: str, **_: Any) -> None:
        raise exception.ImageCopyFailure(reason="the lab's images are container images; no volume can hold them")

    def initialize_connection(self, volume: Any, connector: Any) -> dict[str, Any]:
        return {"driver_volume_type": "local", "data": {"device_path": str(self._path(volume))}}

    def terminate_connection(self, volume: Any, connector: Any, **_: Any) -> None:
        """Nova's driver has detached the loop device."""

    def create_export(self, context: Any, volume: Any, connector: Any = None) -> None:
        """A file needs no export."""

    ensure_export = remove_export = create_export
