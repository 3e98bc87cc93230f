"""A hypervisor with nothing behind it: servers become ACTIVE and are rows in a table."""

from __future__ import annotations

import os
import uuid
from typing import Any, ClassVar

from nova.compute import power_state
from nova.virt import fake

NAMESPACE = uuid.UUID("b7a3d3d2-6f0c-4f5e-9b43-0f6d8f3c2a11")


class FakeNode(fake.FakeDriver):
    """Nova's own test driver with an identity that stays over restarts, and room for any flavor."""

    capabilities: ClassVar[dict[str, bool]] = dict(
        fake.FakeDriver.capabilities,
        has_imagecache=False,
        supports_migrate_to_same_host=True,
        supports_accelerators=False,
        supports_remote_managed_ports=False,
    )
    vcpus = 192
    memory_mb = 384 * 1024
    local_gb = 10_000

    def get_available_resource(self, nodename: str) -> dict[str, Any]:
        return dict(super().get_available_resource(nodename), uuid=str(uuid.uuid5(NAMESPACE, nodename)))

    def get_nodenames_by_uuid(self, refresh: bool = False) -> dict[str, str]:
        return {str(uuid.uuid5(NAMESPACE, name)): name for name in self.get_available_nodes()}

    def get_host_uptime(self) -> str:
        load = " ".join(f"{value:.2f}" for value in os.getloadavg())
        return f"load average: {load}"

    def resume_state_on_host_boot(self, context: Any, instance: Any, *args: Any, **kwargs: Any) -> None:
        self.instances[instance.uuid] = fake.FakeInstance(instance.name, power_state.RUNNING, instance.uuid)
        self.resources.claim(instance.flavor.vcpus, instance.flavor.memory_mb, instance.flavor.root_gb)
