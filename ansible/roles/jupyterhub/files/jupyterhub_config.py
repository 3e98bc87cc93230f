"""Configuration of the hub. All that differs between sites is in values.json beside this file."""

import json
import sys
from pathlib import Path

HERE, SECRETS = Path("/etc/jupyterhub"), Path("/run/secrets/hub")
# The two modules lie beside this file, in a folder that Python does not search by itself.
sys.path.insert(0, str(HERE))
import local_users  # noqa: E402
import user_namespace  # noqa: E402

c = get_config()  # noqa: F821, of traitlets
values = json.loads((HERE / "values.json").read_text())
hub = f"http://hub.{values['namespace']}:8081"

# --- hub and proxy: either may restart alone, and users' servers go on
c.JupyterHub.hub_bind_url = "http://:8081"
c.JupyterHub.hub_connect_url = hub
c.JupyterHub.public_url = values["url"]
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = f"http://proxy-api.{values['namespace']}:8001"
c.ConfigurableHTTPProxy.auth_token = (SECRETS / "proxy-token").read_text().strip()
c.JupyterHub.cleanup_servers = False
c.JupyterHub.cookie_secret = bytes.fromhex((SECRETS / "cookie-secret").read_text().strip())
c.JupyterHub.db_url = "sqlite:////srv/jupyterhub/jupyterhub.sqlite"

# --- who gets in: whom the site names, each time anew; an earlier login counts for nothing
c.Authenticator.allowed_users = set(values["allowed_users"])
c.Authenticator.admin_users = set(values["admin_users"])
c.Authenticator.allow_existing_users = False
if values["authenticator"] == "oidc":
    oidc = values["oidc"]
    c.JupyterHub.authenticator_class = "generic-oauth"
    c.GenericOAuthenticator.client_id = oidc["client_id"]
    c.GenericOAuthenticator.client_secret = (SECRETS / "oidc-client-secret").read_text().strip()
    c.GenericOAuthenticator.authorize_url = oidc["authorize_url"]
    c.GenericOAuthenticator.token_url = oidc["token_url"]
    c.GenericOAuthenticator.userdata_url = oidc["userdata_url"]
    c.GenericOAuthenticator.oauth_callback_url = f"{values['url']}/hub/oauth_callback"
    c.GenericOAuthenticator.scope = oidc["scope"]
    c.GenericOAuthenticator.username_claim = oidc["username_claim"]
    c.GenericOAuthenticator.login_service = oidc["login_service"]
    if values["allowed_groups"] or values["admin_groups"]:
        c.GenericOAuthenticator.manage_groups = True
        c.GenericOAuthenticator.auth_state_groups_key = f"oauth_user.{oidc['groups_claim']}"
        c.GenericOAuthenticator.allowed_groups = set(values["allowed_groups"])
        c.GenericOAuthenticator.admin_groups = set(values["admin_groups"])
else:
    c.JupyterHub.authenticator_class = local_users.LocalAuthenticator
    c.JupyterHub.template_paths = [local_users.TEMPLATES]

# --- one pod for a user, in a namespace of his own
single = values["singleuser"]
c.JupyterHub.spawner_class = user_namespace.FacilitySpawner
c.KubeSpawner.pre_spawn_hook = user_namespace.hook(values)
c.KubeSpawner.enable_user_namespaces = True
c.KubeSpawner.user_namespace_template = "user-{username}"
c.KubeSpawner.service_account = "notebook"
c.KubeSpawner.automount_service_account_token = True
c.KubeSpawner.image = single["image"]
c.KubeSpawner.image_pull_policy = "IfNotPresent"
c.KubeSpawner.cmd = ["jupyterhub-singleuser"]
c.KubeSpawner.default_url = "/lab"
# The example notebooks, for the user to change: what he has changed is left.
examples = "mkdir -p ~/examples && cp -n /opt/env/lib/python3.11/site-packages/bench/notebooks/*.ipynb ~/examples/"
# Mounting a home opens all files in it to its group; voms-proxy-init takes no key that anybody else may read.
closed = "chmod -f 700 ~/.globus; chmod -f 400 ~/.globus/userkey.pem"
c.KubeSpawner.lifecycle_hooks = {"postStart": {"exec": {"command": ["sh", "-c", f"{closed}; {examples}"]}}}
c.KubeSpawner.start_timeout = single["start_timeout"]
c.KubeSpawner.http_timeout = 120
c.KubeSpawner.cpu_guarantee = single["cpu_guarantee"]
c.KubeSpawner.cpu_limit = single["cpu_limit"] or None
c.KubeSpawner.mem_guarantee = single["memory_guarantee"]
c.KubeSpawner.mem_limit = single["memory_limit"]
c.KubeSpawner.priority_class_name = "facility-notebook"
c.KubeSpawner.node_selector = {"node-role.kubernetes.io/worker": ""}
c.KubeSpawner.tolerations = [
    {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"}
]
c.KubeSpawner.extra_pod_config = {"enableServiceLinks": False}
c.KubeSpawner.pod_security_context = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "runAsGroup": 1000,
    "fsGroup": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}
c.KubeSpawner.container_security_context = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
# A user who is deleted keeps his files until somebody deletes his namespace.
c.KubeSpawner.delete_pvc = False
# The claim is the hook's: KubeSpawner remembers for ever that it has made one, also when it is gone with its namespace.
c.KubeSpawner.storage_pvc_ensure = False
volumes, mounts = user_namespace.pod_volumes(values)
c.KubeSpawner.volumes = [{"name": "home", "persistentVolumeClaim": {"claimName": user_namespace.HOME}}, *volumes]
c.KubeSpawner.volume_mounts = [{"name": "home", "mountPath": "/home/jovyan"}, *mounts]
c.KubeSpawner.environment = {
    "BENCH_DATA": single["datasets"],
    "FACILITY_DASK": user_namespace.dask_settings(values),
    "FACILITY_POD": {"name": "FACILITY_POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    "FACILITY_POD_UID": {"name": "FACILITY_POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
    **user_namespace.grid_environment(values),
}

# --- servers that nobody uses are stopped
cull = values["cull"]
if cull["enabled"]:
    scopes = ["list:users", "read:users:activity", "read:servers", "delete:servers"]
    c.JupyterHub.load_roles = [{"name": "cull-idle", "services": ["cull-idle"], "scopes": scopes}]
    options = [f"--timeout={cull['timeout']}", f"--cull-every={cull['every']}", f"--max-age={cull['max_age']}"]
    command = [sys.executable, "-m", "jupyterhub_idle_culler", *options]
    c.JupyterHub.services = [{"name": "cull-idle", "command": command}]
