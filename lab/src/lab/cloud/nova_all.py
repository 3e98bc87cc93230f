"""nova-api, conductor, scheduler and all computes in one process, over oslo.messaging's in-memory exchange."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

from lab.settings import of_this_process

HYPERVISORS = {"docker": 3, "fake": 6}
services: list[Any] = []  # kept alive for as long as the process lives


class _AnyHost(str):
    """Equal to every host's name."""

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return True


class _Conf:
    """Nova's configuration as nova.virt.block_device sees it.

    That module detaches a volume from the driver only when the attachment's host is CONF.host; here several hosts
    live in one process and CONF.host is none of them.
    """

    host = _AnyHost("*")

    def __getattr__(self, name: str) -> Any:
        from oslo_config import cfg

        return getattr(cfg.CONF, name)


def build(etc: Path) -> Any:
    """The API's WSGI application; conductor, scheduler and computes run when this returns."""
    settings, _ = of_this_process()
    paste = etc / "api-paste.ini"
    # Made anew at every start: the checkout of the last one, and its environment, may be gone.
    paste.unlink(missing_ok=True)
    paste.symlink_to(Path(sys.prefix) / "etc/nova/api-paste.ini")
    os.environ["OS_NOVA_CONFIG_FILES"] = "api-paste.ini;nova.conf"

    from nova import monkey_patch

    monkey_patch.patch(backend="threading")  # before anything else of Nova, or it chooses eventlet
    import os_vif
    from nova import context, service
    from nova.api.openstack import wsgi_app
    from nova.compute import rpcapi as compute
    from nova.conductor import rpcapi as conductor
    from nova.objects import host_mapping
    from nova.scheduler import rpcapi as scheduler
    from nova.virt import block_device

    from lab.cloud import virt
    from lab.cloud.services import wait_for

    sys.modules["nova.virt.lab"] = virt  # drivers are looked for in nova.virt only
    block_device.CONF = _Conf()

    application = wsgi_app.init_application("osapi_compute", "nova-api-os-compute")
    os_vif.initialize()
    # The conductor ends when it cannot find Placement, a compute goes without for a minute: both ask only once.
    wait_for(settings, ("keystone", "placement"))

    def start(binary: str, topic: str, **options: Any) -> None:
        created = service.Service.create(binary=binary, topic=topic, **options)
        created.start()
        # The first sign of life is due 5 s after the start. Until then the scheduler would go by the last one of an
        # earlier run, and find no host.
        created.service_ref.report_count += 1
        created.service_ref.save()
        services.append(created)

    start("nova-conductor", conductor.RPC_TOPIC)
    start("nova-scheduler", scheduler.RPC_TOPIC)
    for number in range(1, HYPERVISORS[settings.hypervisors] + 1):
        start("nova-compute", compute.RPC_TOPIC, host=f"hv{number}", topic_alt=compute.RPC_TOPIC_ALT)
    # Here and nowhere else: the scheduler's own periodic search would meet this one, and one of them would fail.
    host_mapping.discover_hosts(context.get_admin_context())
    if settings.hypervisors == "docker":
        _serve_metadata(settings.inside, settings.metadata_port)
    return application


def _serve_metadata(host: str, port: int) -> None:
    """What guests ask at 169.254.169.254, which leads here; a guest is told by the address that it asks from."""
    import waitress
    from nova.api.metadata import handler

    server = waitress.create_server(handler.MetadataRequestHandler(), host=host, port=port, threads=2, ident=None)
    threading.Thread(target=server.run, name="metadata", daemon=True).start()
