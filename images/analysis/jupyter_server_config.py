"""Configuration of a user's notebook server: how he comes to the dashboards of his Dask clusters.

A browser does not reach pods, so dashboards are shown by the server's own proxy, behind the hub's login. It asks the
schedulers of the user's own namespace, beside programs of this pod, and nothing else.
"""

import json
import os
import re

c = get_config()  # noqa: F821, of traitlets

prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "/")
# For this process, which makes the clusters of JupyterLab's Dask tab, and for kernels, which have its environment.
os.environ.setdefault("DASK_DISTRIBUTED__DASHBOARD__LINK", f"{prefix}proxy/{{host}}:{{port}}/status")

namespace = json.loads(os.environ.get("FACILITY_DASK", "{}")).get("namespace", "")
scheduler = re.compile(rf"[a-z0-9-]+-scheduler\.{re.escape(namespace)}")


def may_be_asked(_handler, host):
    """Whether the proxy asks a host: this pod, or the scheduler of a cluster of the user's."""
    return host in ("localhost", "127.0.0.1") or bool(namespace and scheduler.fullmatch(host))


c.ServerProxy.host_allowlist = may_be_asked
