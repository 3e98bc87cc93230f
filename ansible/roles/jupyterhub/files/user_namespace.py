"""What a user's namespace consists of, made before his server starts: rights, quota, limits, policies, what he sees of
the nodes, where users share the facility his queues, and where the site has the grid, a Secret for his proxy.

Pods there are held to Kubernetes' standard `restricted`: a Dask cluster is an object that the user writes himself, and
the operator makes of it whatever pods it asks for.
"""

import asyncio
import json
import os
import ssl
import time
from pathlib import Path

from jupyterhub.spawner import SpawnException
from kubespawner import KubeSpawner
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

CREDENTIALS = Path("/var/run/secrets/kubernetes.io/serviceaccount")
# Pods of these classes are not for users, whatever they write into a Dask cluster.
RESERVED_PRIORITIES = ["system-cluster-critical", "system-node-critical", "facility-hub"]
# Schedulers do not wait in a queue, so there are few of them, and small ones.
SCHEDULER_PRIORITY, SCHEDULER_CPU_M, SCHEDULER_MEMORY_MIB = "facility-dask-scheduler", 100, 1024
# A pod that names no queue is put by Kueue into the one that is called default.
INTERACTIVE_QUEUE, BATCH_QUEUE = "default", "batch"
# What all queues borrow from; role kueue makes both.
COHORT, FLAVOR = "facility", "workers"
SETTLE_S = 20
HOME = "home"
# In a pod; programs of the grid look there by themselves.
GRID = "/etc/grid-security"
# Named in the rights of jupyterhub-user too.
PROXY_SECRET = "grid-proxy"


class SpawnError(SpawnException):
    """A reason that the user is told.

    Of any other exception the hub's page says no more than that there was one, if it comes in the first second.
    """

    def __init__(self, message, reason):
        super().__init__(message, reason=reason, status_code=409)
        # what the pages show that come later
        self.jupyterhub_message = message


class FacilitySpawner(KubeSpawner):
    """A spawner that says what to do when a quota is used up."""

    async def _make_create_pod_request(self, pod, request_timeout):
        try:
            return await super()._make_create_pod_request(pod, request_timeout)
        except Exception as error:
            if "exceeded quota" not in str(getattr(error, "body", "")):
                raise
            raise SpawnError(
                "Your share of the facility is used up, so your server cannot start. Your Dask clusters hold it: they"
                " end by themselves when they are idle; an administrator can end them at once.",
                "quota",
            ) from error


# --- the objects -------------------------------------------------------------------------------------------------
def namespace(name, user):
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            "labels": {"facility/part": "user", "pod-security.kubernetes.io/enforce": "restricted"},
            "annotations": {"facility/user": user},
        },
    }


def shared(values):
    """Whether users share the facility by queues of Kueue."""
    return bool(values["kueue_namespace"])


def rights(values, name):
    """What the hub, the user and Kueue may do here."""
    account = {"kind": "ServiceAccount", "name": "notebook", "namespace": name}
    hub = {"kind": "ServiceAccount", "name": "hub", "namespace": values["namespace"]}
    kueue = {"kind": "ServiceAccount", "name": "kueue", "namespace": values["kueue_namespace"]}
    bound = {"jupyterhub-spawner": hub, "jupyterhub-user": account} | ({"kueue-user": kueue} if shared(values) else {})
    binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole"}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "notebook", "namespace": name}},
        *(
            binding
            | {
                "metadata": {"name": called, "namespace": name},
                "roleRef": role | {"name": called},
                "subjects": [subject],
            }
            for called, subject in bound.items()
        ),
    ]


def limits(values, name):
    """How much of the facility is his at most, and what a container gets that asks for nothing."""
    quota = values["quota"]
    hard = {
        "requests.cpu": quota["cpu"],
        "limits.memory": quota["memory"],
        "pods": str(quota["pods"]),
        "services.nodeports": "0",
        "services.loadbalancers": "0",
    }

    def by_class(classes):
        return {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": classes}]}

    clusters = quota["dask_clusters"]
    schedulers = {
        "pods": str(clusters),
        "requests.cpu": f"{clusters * SCHEDULER_CPU_M}m",
        "limits.memory": f"{clusters * SCHEDULER_MEMORY_MIB}Mi",
    }
    quotas = {
        "user": {"hard": hard},
        "schedulers": {"hard": schedulers, "scopeSelector": by_class([SCHEDULER_PRIORITY])},
        "reserved-priorities": {"hard": {"pods": "0"}, "scopeSelector": by_class(RESERVED_PRIORITIES)},
        "one-notebook": {"hard": {"pods": "1"}, "scopeSelector": by_class(["facility-notebook"])},
    }
    default = {"type": "Container", "default": {"memory": "1Gi"}, "defaultRequest": {"cpu": "100m", "memory": "200Mi"}}
    return [
        *(
            {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": called, "namespace": name}, "spec": spec}
            for called, spec in quotas.items()
        ),
        {
            "apiVersion": "v1",
            "kind": "LimitRange",
            "metadata": {"name": "user", "namespace": name},
            "spec": {"limits": [default]},
        },
    ]


def queues(values, name):
    """Where his workers wait for their turn: all queues borrow from what the facility has, none owns a part of it.

    Of two queues that want the same the one that has less gets it; one without weight has always more than others.
    """
    if not shared(values):
        return []
    resources = ("cpu", "memory")
    flavor = {
        "name": FLAVOR,
        "resources": [{"name": each, "nominalQuota": "0"} for each in resources],
    }
    made = []
    for queue, kind, weight in ((INTERACTIVE_QUEUE, "interactive", "1"), (BATCH_QUEUE, "batch", "0")):
        # no name of a namespace has a dot in it
        called = f"{name}.{kind}"
        spec = {
            "cohortName": COHORT,
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
            "resourceGroups": [{"coveredResources": list(resources), "flavors": [flavor]}],
            "preemption": {"reclaimWithinCohort": "Any"},
            "fairSharing": {"weight": weight},
        }
        made += [
            {
                "apiVersion": "kueue.x-k8s.io/v1beta2",
                "kind": "ClusterQueue",
                "metadata": {"name": called},
                "spec": spec,
            },
            {
                "apiVersion": "kueue.x-k8s.io/v1beta2",
                "kind": "LocalQueue",
                "metadata": {"name": queue, "namespace": name},
                "spec": {"clusterQueue": called},
            },
        ]
    return made


def policies(values, name):
    """Who reaches his pods, and what they reach: each other, names, the hub, the API, and what is outside."""
    network = values["network"]

    def inside(space, **labels):
        peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space}}}
        return peer | ({"podSelector": {"matchLabels": labels}} if labels else {})

    def tcp(*ports):
        return [{"protocol": "TCP", "port": port} for port in ports]

    servers = {"matchLabels": {"component": "singleuser-server"}}
    everything = {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {"from": [{"podSelector": {}}]},
            # the operator asks schedulers whether they are idle, and which workers it may take
            {
                "from": [inside(network["operator_namespace"], app="dask-operator")],
                "ports": tcp(8786, 8787),
            },
        ],
        "egress": [
            {"to": [{"podSelector": {}}]},
            {
                "to": [inside("kube-system", **{"k8s-app": "kube-dns"})],
                "ports": [{"protocol": "UDP", "port": 53}, *tcp(53)],
            },
            {"to": [{"ipBlock": {"cidr": cidr}} for cidr in network["node_cidrs"]], "ports": tcp(6443)},
            {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": network["closed_cidrs"]}}]},
        ],
    }
    notebook = {
        "podSelector": servers,
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {
                "from": [inside(values["namespace"], app="hub"), inside(values["namespace"], app="proxy")],
                "ports": tcp(8888),
            }
        ],
        "egress": [{"to": [inside(values["namespace"], app="hub")], "ports": tcp(8081)}],
    }
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": called, "namespace": name},
            "spec": spec,
        }
        for called, spec in (("user", everything), ("notebook", notebook))
    ]


def folders(values):
    """What users see of the nodes, read-only: path on the node and path in a pod, by the name of the claim."""
    single = values["singleuser"]
    found = {"datasets": (single["datasets"], single["datasets"])}
    if single["grid"]:
        found["grid"] = (single["grid"], GRID)
    return found


def shown(values, name):
    """These folders as volumes: pods of a user may name no folder of a node themselves."""
    common = {"accessModes": ["ReadOnlyMany"], "storageClassName": ""}
    made = []
    for folder, (path, _) in folders(values).items():
        volume = {
            "capacity": {"storage": "1Gi"},
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": name, "name": folder},
            "hostPath": {"path": path, "type": "Directory"},
        }
        claim = {"volumeName": f"{folder}-{name}", "resources": {"requests": {"storage": "1Gi"}}}
        made += [
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": f"{folder}-{name}"},
                "spec": common | volume,
            },
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": folder, "namespace": name},
                "spec": common | claim,
            },
        ]
    return made


def home(values, name):
    """The user's files. Where they are gone with his namespace, he begins anew with empty ones."""
    single = values["singleuser"]
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": single["storage_capacity"]}}}
    if single["storage_class"]:
        spec["storageClassName"] = single["storage_class"]
    metadata = {"name": HOME, "namespace": name}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def secrets(values, name):
    """Where the user puts his grid proxy for his workers, empty; the hub itself may not look into it."""
    if not values["singleuser"]["grid"]:
        return []
    metadata = {"name": PROXY_SECRET, "namespace": name}
    return [{"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque"}]


def pod_volumes(values):
    """The folders in a notebook's pod."""
    claims = [
        {"name": folder, "persistentVolumeClaim": {"claimName": folder, "readOnly": True}} for folder in folders(values)
    ]
    mounts = [
        {"name": folder, "mountPath": inside, "readOnly": True} for folder, (_, inside) in folders(values).items()
    ]
    return claims, mounts


def grid_environment(values):
    """Where programs of the grid find authorities and organisations. VOMS_USERCONF is the C++ client's name for it."""
    if not values["singleuser"]["grid"]:
        return {}
    return {
        "X509_CERT_DIR": f"{GRID}/certificates",
        "X509_VOMS_DIR": f"{GRID}/vomsdir",
        "VOMS_USERCONF": f"{GRID}/vomses",
    }


def dask_settings(values):
    """What bench.dask reads, as a template of KubeSpawner, which fills in the namespace."""
    dask = values["dask"]
    text = json.dumps(
        {
            "namespace": "NAMESPACE",
            "image": values["singleuser"]["image"],
            "worker_limit_mib": dask["worker_memory_limit_mib"],
            "worker_requests": {"cpu": dask["worker_cpu"], "memory": f"{dask['worker_memory_mib']}Mi"},
            "priority_interactive": "facility-dask",
            "priority_batch": "facility-dask-batch",
            "priority_scheduler": SCHEDULER_PRIORITY,
            "queue_interactive": INTERACTIVE_QUEUE if shared(values) else "",
            "queue_batch": BATCH_QUEUE if shared(values) else "",
            "idle_timeout_s": dask["idle_timeout_s"],
            "datasets_claim": "datasets",
            "datasets_folder": values["singleuser"]["datasets"],
            "grid_claim": "grid" if values["singleuser"]["grid"] else "",
            "grid_folder": GRID if values["singleuser"]["grid"] else "",
            "proxy_secret": PROXY_SECRET if values["singleuser"]["grid"] else "",
        }
    )
    return text.replace("{", "{{").replace("}", "}}").replace("NAMESPACE", "{namespace}")


# --- into the cluster --------------------------------------------------------------------------------------------
PLURALS = {
    "Namespace": "namespaces",
    "ServiceAccount": "serviceaccounts",
    "RoleBinding": "rolebindings",
    "ResourceQuota": "resourcequotas",
    "LimitRange": "limitranges",
    "NetworkPolicy": "networkpolicies",
    "ClusterQueue": "clusterqueues",
    "LocalQueue": "localqueues",
    "PersistentVolume": "persistentvolumes",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "Secret": "secrets",
}


def place(thing):
    """Path of an object in the API."""
    version, metadata = thing["apiVersion"], thing["metadata"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    inside = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{root}{inside}/{PLURALS[thing['kind']]}/{metadata['name']}"


async def ask(method, path, body=None):
    """The API's answer; HTTPClientError where it refuses."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    request = HTTPRequest(
        f"https://{host}:{port}{path}",
        method=method,
        headers={
            "Authorization": f"Bearer {(CREDENTIALS / 'token').read_text().strip()}",
            "Content-Type": "application/apply-patch+yaml" if method == "PATCH" else "application/json",
        },
        body=None if body is None else json.dumps(body),
        ssl_options=ssl.create_default_context(cafile=str(CREDENTIALS / "ca.crt")),
    )
    return json.loads((await AsyncHTTPClient().fetch(request)).body)


async def apply(thing):
    return await ask("PATCH", f"{place(thing)}?fieldManager=jupyterhub&force=true", thing)


async def create(thing):
    """Make an object that is left as it is where there is one."""
    try:
        await ask("POST", place(thing).rpartition("/")[0], thing)
    except HTTPClientError as error:
        if error.code != 409:
            raise


async def own(name, user):
    """The namespace is there and this user's."""
    wanted = namespace(name, user)
    try:
        found = await ask("GET", place(wanted))
    except HTTPClientError as error:
        if error.code != 404:
            raise
        found = await ask("POST", "/api/v1/namespaces", wanted)
    metadata = found["metadata"]
    labels, annotations = metadata.get("labels", {}), metadata.get("annotations", {})
    if not wanted["metadata"]["labels"].items() <= labels.items() or annotations.get("facility/user") != user:
        raise SpawnError(
            f"The namespace {name} is not yours, so your server cannot start in it. Tell an administrator.",
            "namespace",
        )


async def settles(what, attempt):
    """Wait until an attempt no longer gives None: rights and quotas hold a moment after they were written."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        done = await attempt()
        if done is not None:
            return done
        if time.monotonic() > deadline:
            raise SpawnError(f"{what} within {SETTLE_S} s. Try again; tell an administrator if it stays so.", "slow")
        await asyncio.sleep(0.1)


async def ensure(values, name, user):
    """Bring a user's namespace to what it has to be."""
    await own(name, user)
    parts = (rights, limits, policies, queues)
    await asyncio.gather(*(apply(each) for part in parts for each in part(values, name)))

    async def claimed():
        try:
            for each in [home(values, name), *secrets(values, name)]:
                await create(each)
            return [await apply(each) for each in shown(values, name)]
        except HTTPClientError as error:
            if error.code != 403:
                raise
            return None

    async def counted():
        quotas = [each for each in limits(values, name) if each["kind"] == "ResourceQuota"]
        found = [await ask("GET", place(each)) for each in quotas]
        return found if all(each.get("status", {}).get("hard") for each in found) else None

    async def bound():
        claims = [each for each in shown(values, name) if each["kind"] == "PersistentVolumeClaim"]
        found = [await ask("GET", place(each)) for each in claims]
        return found if all(each.get("status", {}).get("phase") == "Bound" for each in found) else None

    await settles(f"The hub's rights in {name} did not come to hold", claimed)
    await settles(f"The quota of {name} did not come to hold", counted)
    # a pod that comes before its volumes waits for the scheduler's next attempts, seconds apart
    await settles(f"The nodes' folders were not bound to {name}", bound)


def hook(values):
    """The pre-spawn hook of KubeSpawner."""

    async def before(spawner):
        await ensure(values, spawner.namespace, spawner.user.name)

    return before
