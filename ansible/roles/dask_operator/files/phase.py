"""Handler beside the controller's own: a cluster whose scheduler is up is Running, whoever wrote its phase last.

The controller sets the phase to Running when the scheduler's service is there, and to Pending at the end of another
handler. Where the second comes last nothing sets it again, and clients give up on a cluster that works.
"""

import kopf
from kr8s.asyncio.objects import Service


@kopf.on.field("daskcluster.kubernetes.dask.org", field="status.phase", new="Pending")
async def scheduler_is_up(name, namespace, patch, **_):
    service = await Service.get(f"{name}-scheduler", namespace=namespace)
    is_load_balancer = service.spec["type"] == "LoadBalancer"
    if not is_load_balancer or service.status.get("loadBalancer", {}).get("ingress"):
        patch.status["phase"] = "Running"
