"""Nova's driver: a server is a container, a network is a bridge of Docker, a volume is a loop device."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from typing import Any

import nova.conf
from nova import exception
from nova.api.metadata import base as instance_metadata
from nova.compute import power_state
from nova.virt import hardware
from oslo_log import log as logging

from lab import addresses
from lab.cloud import cpus, disks, docker, guest, loops, views
from lab.cloud.console_log import ConsoleLog
from lab.cloud.seed import IMAGE_TAG
from lab.cloud.virt_fake import FakeNode
from lab.settings import of_this_process

__all__ = ["DockerDriver", "FakeNode"]

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)
STATES = {"running": power_state.RUNNING, "restarting": power_state.RUNNING, "paused": power_state.PAUSED}
BRIDGE_NAME_LENGTH = 15  # the kernel's limit for names of interfaces

# All hypervisors of this process share one engine. While a guest is being made, no other may choose its processors,
# and its network, which counts as unused until then, may not be removed.
placing = threading.RLock()


def _memory_of_machine_mib() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20


def _readable(error: docker.DockerError, wanted: list[str]) -> docker.DockerError:
    """Docker's "Pool overlaps with other one on this address space" with both networks named."""
    if "overlap" not in str(error):
        return error
    there = [(f"Docker's network {name}", subnet) for name, subnet, _ in docker.subnets()]
    taken = [text for subnet in wanted for text in addresses.conflicts(subnet, there)]
    return docker.DockerError(
        "POST",
        "/networks/create",
        error.status,
        f"the subnet {' '.join(wanted)} overlaps {', '.join(taken) or 'a network of this machine'}; "
        "use another range for the subnet",
    )


class DockerDriver(FakeNode):
    """What a guest is, is asked of Docker Engine every time: nothing is kept in memory, so Nova may start anew."""

    vcpus = 8
    # guests use less than they may: a hypervisor offers half of the machine, but room for the flavor c4.r8
    memory_mb = max(_memory_of_machine_mib() // 2, 8704)
    local_gb = 1000

    def __init__(self, virtapi: Any, read_only: bool = False) -> None:
        super().__init__(virtapi, read_only)
        self._settings, _ = of_this_process()

    # --- names --------------------------------------------------------------------------------------------------
    def _name(self, instance: Any) -> str:
        return f"{self._settings.name}-{instance.uuid}"

    def _path(self, instance: Any, verb: str = "") -> str:
        return f"/containers/{self._name(instance)}" + (f"/{verb}" if verb else "")

    def _network_name(self, network_id: str) -> str:
        return f"{self._settings.name}-{network_id}"

    def _folder(self, instance: Any) -> Path:
        return Path(CONF.instances_path) / instance.uuid

    # --- what there is ------------------------------------------------------------------------------------------
    def _labels(self) -> list[dict[str, str]]:
        labels = [container["Labels"] for container in docker.containers(self._settings.name)]
        return [label for label in labels if label.get("lab.host") == self._host]

    def list_instance_uuids(self) -> list[str]:
        return [label["lab.uuid"] for label in self._labels()]

    def list_instances(self) -> list[str]:
        return [label["lab.instance"] for label in self._labels()]

    def instance_exists(self, instance: Any) -> bool:
        return docker.find(self._path(instance, "json")) is not None

    def get_info(self, instance: Any, use_cache: bool = True) -> hardware.InstanceInfo:
        container = docker.find(self._path(instance, "json"))
        if container is None:
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        return hardware.InstanceInfo(state=STATES.get(container["State"]["Status"], power_state.SHUTDOWN))

    def get_console_output(self, context: Any, instance: Any) -> bytes:
        return self._console(instance).text()

    def _console(self, instance: Any) -> ConsoleLog:
        return ConsoleLog(self._name(instance), self._folder(instance))

    # --- networks -----------------------------------------------------------------------------------------------
    def _network(self, vif: Any) -> str:
        """The Docker network of a port's network, made when this is its first guest."""
        network = vif["network"]
        name = self._network_name(network["id"])
        if docker.find(f"/networks/{name}"):
            return name
        pools = []
        for subnet in network["subnets"]:
            if subnet["version"] == 4:
                gateway = (subnet["gateway"] or {}).get("address")
                pools.append({"Subnet": subnet["cidr"], **({"Gateway": gateway} if gateway else {})})
        definition = {
            "Name": name,
            "CheckDuplicate": True,
            "Driver": "bridge",
            "Labels": {docker.LABEL: self._settings.name},
            "IPAM": {"Config": pools},
            "Options": {
                "com.docker.network.bridge.name": f"{self._settings.bridges}{network['id']}"[:BRIDGE_NAME_LENGTH]
            },
        }
        docker.remove_unused_networks(self._settings.name)  # one of them may have the same addresses
        try:
            docker.request("POST", "/networks/create", definition)
        except docker.DockerError as error:
            raise _readable(error, [pool["Subnet"] for pool in pools]) from error
        return name

    def _remove_unused(self) -> None:
        with placing:
            docker.remove_unused_networks(self._settings.name)

    def _endpoint(self, vif: Any) -> dict[str, Any]:
        address = next((ip["address"] for ip in vif.fixed_ips() if ip["version"] == 4), "")
        return {"IPAMConfig": {"IPv4Address": address}, "MacAddress": vif["address"]}

    def attach_interface(self, context: Any, instance: Any, image_meta: Any, vif: Any) -> None:
        body = {"Container": self._name(instance), "EndpointConfig": self._endpoint(vif)}
        with placing:
            docker.request("POST", f"/networks/{self._network(vif)}/connect", body)

    def detach_interface(self, context: Any, instance: Any, vif: Any) -> None:
        try:
            docker.request(
                "POST",
                f"/networks/{self._network_name(vif['network']['id'])}/disconnect",
                {"Container": self._name(instance), "Force": True},
            )
        except docker.DockerError as error:
            if error.status != 404:
                LOG.warning("%s", error)
        self._remove_unused()

    # --- volumes ------------------------------------------------------------------------------------------------
    def default_root_device_name(self, *args: Any) -> str:
        return "/dev/vda"

    def attach_volume(
        self,
        context: Any,
        connection_info: Any,
        instance: Any,
        mountpoint: str,
        disk_bus: Any = None,
        device_type: Any = None,
        encryption: Any = None,
    ) -> None:
        path = connection_info["data"]["device_path"]
        minor = loops.attach(path)
        folder = self._folder(instance)
        others = [disk for disk in disks.read(folder) if disk.device != mountpoint]
        disk = disks.Disk(mountpoint, path, minor, connection_info["serial"])
        disks.write(folder, [*others, disk])
        docker.execute(self._name(instance), "mknod", mountpoint, "b", "7", str(minor))
        docker.execute(self._name(instance), "ln", "-sfn", f"../../{Path(mountpoint).name}", disk.link)

    def detach_volume(
        self, context: Any, connection_info: Any, instance: Any, mountpoint: str, encryption: Any = None
    ) -> None:
        folder = self._folder(instance)
        before = disks.read(folder)
        disks.write(folder, [disk for disk in before if disk.device != mountpoint])
        links = [disk.link for disk in before if disk.device == mountpoint]
        docker.execute(self._name(instance), "rm", "-f", *links, mountpoint)
        for device in loops.of_file(connection_info["data"]["device_path"]):
            loops.detach(device)

    def extend_volume(self, context: Any, connection_info: Any, instance: Any, requested_size: int) -> None:
        for device in loops.of_file(connection_info["data"]["device_path"]):
            loops.resize(device)

    # --- a guest's life -----------------------------------------------------------------------------------------
    def _limits(self, instance: Any) -> dict[str, Any]:
        """Docker's limits for the instance's flavor, on the processors that other guests use least."""
        flavor = instance.flavor
        available = sorted(os.sched_getaffinity(0))
        in_use = [
            found["HostConfig"]["CpusetCpus"]
            for entry in docker.containers()
            if entry["Labels"].get("lab.uuid") != instance.uuid
            and (found := docker.find(f"/containers/{entry['Id']}/json"))
        ]
        chosen = cpus.least_used(available, flavor.vcpus, in_use)
        memory = flavor.memory_mb << 20
        return {
            "NanoCpus": len(chosen) * 10**9,
            "CpusetCpus": ",".join(map(str, chosen)),
            "Memory": memory,
            "MemorySwap": memory,
        }

    def _first_files(self, instance: Any, injected_files: Any, admin_password: Any, network_info: Any) -> bytes:
        metadata = instance_metadata.InstanceMetadata(
            instance,
            content=injected_files or [],
            network_info=network_info,
            extra_md={"admin_pass": admin_password} if admin_password else {},
        )
        subnets = [
            [server["address"] for server in subnet["dns"]]
            for vif in network_info or []
            for subnet in vif["network"]["subnets"]
        ]
        resolver = guest.resolv_conf(subnets, Path("/etc/resolv.conf").read_text())
        return guest.first_files(metadata.metadata_for_config_drive(), resolver)

    def _binds(self, instance: Any) -> list[str]:
        folder = self._folder(instance)
        return [
            disks.bind(folder, guest.DISKS),
            *views.write(folder, instance.flavor.vcpus, instance.flavor.memory_mb),
        ]

    def spawn(
        self,
        context: Any,
        instance: Any,
        image_meta: Any,
        injected_files: Any,
        admin_password: Any,
        allocations: Any,
        network_info: Any = None,
        block_device_info: Any = None,
        power_on: bool = True,
        accel_info: Any = None,
    ) -> None:
        vifs = list(network_info or [])
        labels = {
            docker.LABEL: self._settings.name,
            "lab.host": str(self._host),
            "lab.uuid": instance.uuid,
            "lab.instance": instance.name,
            "lab.server": instance.display_name,
        }
        try:
            with placing:
                definition = guest.definition(
                    image=instance.system_metadata.get("image_docker_image") or IMAGE_TAG,
                    hostname=instance.hostname or instance.uuid,
                    mac=vifs[0]["address"] if vifs else "",
                    labels=labels,
                    limits=self._limits(instance),
                    binds=self._binds(instance),
                    network=self._network(vifs[0]) if vifs else None,
                    endpoint=self._endpoint(vifs[0]) if vifs else {},
                )
                docker.request("POST", "/containers/create", definition, name=self._name(instance))
            for vif in vifs[1:]:
                self.attach_interface(context, instance, image_meta, vif)
            files = self._first_files(instance, injected_files, admin_password, network_info)
            docker.request("PUT", self._path(instance, "archive"), tar=files, path="/")
            if power_on:
                docker.request("POST", self._path(instance, "start"))
        except Exception as error:
            self.destroy(context, instance, network_info)
            if isinstance(error, docker.DockerError):
                # another hypervisor is another name for the same engine: no second try
                raise exception.BuildAbortException(instance_uuid=instance.uuid, reason=str(error)) from error
            raise
        self._console(instance).keep_host_keys()

    def destroy(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        block_device_info: Any = None,
        destroy_disks: bool = True,
        destroy_secrets: bool = True,
    ) -> None:
        docker.remove(self._path(instance), force="1", v="1")
        for disk in disks.read(self._folder(instance)):
            for device in loops.of_file(disk.path):
                loops.detach(device)
        shutil.rmtree(self._folder(instance), ignore_errors=True)
        self._remove_unused()

    def cleanup(self, *args: Any, **kwargs: Any) -> None:
        """All is done by destroy."""

    def resume_state_on_host_boot(self, context: Any, instance: Any, *args: Any, **kwargs: Any) -> None:
        """The guest should run and does not: the machine was started anew, or somebody stopped or removed it.

        A guest whose container is gone has lost its disk. It is not made anew in silence: Nova shows it as ERROR, and
        `openstack server rebuild` or Terraform make another.
        """
        if not self.instance_exists(instance):
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        docker.request("POST", self._path(instance, "start"))

    def power_off(self, instance: Any, timeout: int = 0, retry_interval: int = 0) -> None:
        if not self.instance_exists(instance):
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        docker.request("POST", self._path(instance, "stop"), t=str(min(timeout or 5, 20)))

    def power_on(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        block_device_info: Any = None,
        accel_info: Any = None,
        share_info: Any = None,
    ) -> None:
        disks.reattach(self._folder(instance))
        docker.request("POST", self._path(instance, "start"))

    def reboot(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        reboot_type: str,
        block_device_info: Any = None,
        bad_volumes_callback: Any = None,
        accel_info: Any = None,
        share_info: Any = None,
    ) -> None:
        if not self.instance_exists(instance):
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        disks.reattach(self._folder(instance))
        docker.request("POST", self._path(instance, "restart"), t="0" if reboot_type == "HARD" else "10")

    # --- resize: all hypervisors share one engine, so a move is a change of the limits ----------------------------
    def migrate_disk_and_power_off(
        self,
        context: Any,
        instance: Any,
        dest: Any,
        flavor: Any,
        network_info: Any,
        block_device_info: Any = None,
        timeout: int = 0,
        retry_interval: int = 0,
    ) -> str:
        self.power_off(instance, timeout)
        return "{}"

    def finish_migration(
        self,
        context: Any,
        migration: Any,
        instance: Any,
        disk_info: Any,
        network_info: Any,
        image_meta: Any,
        resize_instance: Any,
        allocations: Any,
        block_device_info: Any = None,
        power_on: bool = True,
        share_info: Any = None,
    ) -> None:
        self._apply_flavor(instance, power_on)

    def finish_revert_migration(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        migration: Any,
        block_device_info: Any = None,
        power_on: bool = True,
        share_info: Any = None,
    ) -> None:
        self._apply_flavor(instance, power_on)

    def _apply_flavor(self, instance: Any, power_on: bool) -> None:
        views.write(self._folder(instance), instance.flavor.vcpus, instance.flavor.memory_mb)
        with placing:
            docker.request("POST", self._path(instance, "update"), self._limits(instance))
        if power_on:
            docker.request("POST", self._path(instance, "start"))

    def confirm_migration(self, *args: Any, **kwargs: Any) -> None:
        """Nothing is kept of the old size."""

    def pause(self, instance: Any) -> None:
        docker.request("POST", self._path(instance, "pause"))

    def unpause(self, instance: Any) -> None:
        docker.request("POST", self._path(instance, "unpause"))
