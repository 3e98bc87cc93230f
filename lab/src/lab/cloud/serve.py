"""One service in one process: `python -m lab.cloud.serve <state>/etc/<service> <version of the code>`.

`lab up` starts it, finds it again by its arguments, and starts it anew when the version differs.
"""

from __future__ import annotations

import importlib
import logging
import os
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

from lab.settings import of_this_process

THREADS = 8


def _application(service: str, etc: Path) -> Any:
    os.environ[f"OS_{service.upper()}_CONFIG_DIR"] = str(etc)
    sys.argv = [service]  # oslo.config would read ours
    if service in ("nova", "cinder"):
        return importlib.import_module(f"lab.cloud.{service}_all").build(etc)
    if service == "neutron":
        os.environ["OS_NEUTRON_CONFIG_FILES"] = "neutron.conf"
    return importlib.import_module(f"{service}.wsgi.api").application


def _end(signum: int, frame: FrameType | None) -> None:
    os._exit(0)


def main() -> None:
    etc = Path(sys.argv[1])
    service = etc.name
    # what `ps`, `ss` and an error about a taken port show
    Path("/proc/self/comm").write_text(f"lab-{service}")
    settings, _ = of_this_process()
    importlib.import_module("lab.cloud.sqlite")
    application = _application(service, etc)

    import waitress

    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    logging.getLogger("neutronclient").setLevel(logging.ERROR)
    places = [f"127.0.0.1:{settings.port(service)}"]
    if settings.hypervisors == "docker":
        # programs in guests ask the cloud too; the address is one of the external network, which nobody else reaches
        places.append(f"{settings.inside}:{settings.port(service)}")
    server = waitress.create_server(
        application,
        listen=" ".join(places),
        threads=THREADS,
        ident=None,
        clear_untrusted_proxy_headers=True,
        channel_timeout=120,
    )
    signal.signal(signal.SIGTERM, _end)
    print(f"{service} is ready on {settings.url(service)}", flush=True)
    server.run()


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc()
        # threads that already run would keep a half-started service alive, and writing
        os._exit(1)
