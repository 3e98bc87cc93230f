"""cinder-api, scheduler and volume in one process, over oslo.messaging's in-memory exchange."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

services: list[Any] = []  # kept alive for as long as the process lives


def build(etc: Path) -> Any:
    """The API's WSGI application; scheduler and volume run when this returns."""
    import oslo_service.backend as backend

    backend.init_backend(backend.BackendType.THREADING)
    sys.argv = ["cinder", "--config-file", str(etc / "cinder.conf")]
    import cinder  # noqa: F401 (before its parts: it decides about eventlet)
    import os_brick
    from cinder import service
    from cinder.common import constants
    from cinder.wsgi import wsgi
    from oslo_config import cfg

    os_brick.setup(cfg.CONF)
    application = wsgi.initialize_application()
    cfg.CONF.register_opt(cfg.StrOpt("backend_host"), group="files")
    reporting = threading.Lock()

    class Service(service.Service):
        """Cinder keeps the id of a process's one service in a class attribute.

        Here there are two services, and each heartbeat must go to its own row; else cinder-volume counts as down a
        minute after its start.
        """

        def report_state(self) -> None:
            with reporting:
                service.Service.service_id = self.origin_service_id
                super().report_state()

    volume = Service.create(
        host=f"{cfg.CONF.host}@files", service_name="files", coordination=True, binary=constants.VOLUME_BINARY
    )
    volume.start()
    scheduler = Service.create(binary=constants.SCHEDULER_BINARY)
    scheduler.start()
    services.extend([volume, scheduler])
    return application
