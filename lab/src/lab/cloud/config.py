"""The configuration files of all services, as text."""

from __future__ import annotations

import secrets as random
from collections.abc import Mapping
from pathlib import Path

from lab.settings import Settings

Section = Mapping[str, object]
Sections = dict[str, Section]

REGION = "RegionOne"
INSIDE = "inside"  # the same services at the addresses that guests reach
SERVICES = ("keystone", "placement", "glance", "neutron", "nova", "cinder")
MEMBER = "member"  # whose project the guests are in
USERS = ("admin", MEMBER, *SERVICES[1:])
CONFIG_FILE = {
    "keystone": "keystone.conf",
    "placement": "placement.conf",
    "glance": "glance-api.conf",
    "neutron": "neutron.conf",
    "nova": "nova.conf",
    "cinder": "cinder.conf",
}


def new_passwords() -> dict[str, str]:
    return {user: random.token_urlsafe(24) for user in USERS}


def ini(sections: Mapping[str, Section]) -> str:
    return "\n".join(
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in section.items())
        for name, section in sections.items()
    )


class _Writer:
    """One lab's values, put into what each service wants to read."""

    def __init__(self, settings: Settings, passwords: Mapping[str, str], state: Path, venv: Path) -> None:
        self.settings, self.passwords, self.venv = settings, passwords, venv
        self.state, self.data = state, state / "cloud"

    def database(self, name: str) -> Section:
        return {
            # how long a writer waits for another: see lab.cloud.sqlite
            "connection": f"sqlite:///{self.data}/db/{name}.sqlite?timeout=60",
            # the databases outlive a killed process, not a power cut; `lab up` looks at them after a reboot
            "sqlite_synchronous": "false",
        }

    def common(self, service: str) -> Section:
        # fake:// is oslo.messaging's in-memory exchange: all that talk to each other live in one process
        return {
            "use_stderr": "true",
            "transport_url": "fake:///",
            "state_path": self.data / service,
        }

    def credentials(self, user: str) -> Section:
        return {
            "auth_url": f"{self.settings.url('keystone')}/v3",
            "auth_type": "password",
            "username": user,
            "password": self.passwords[user],
            "project_name": "service",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        }

    def client(self, user: str) -> Section:
        return {**self.credentials(user), "region_name": REGION}

    def authtoken(self, user: str) -> Section:
        return {
            "www_authenticate_uri": f"{self.settings.url('keystone')}/v3",
            **self.credentials(user),
            "service_token_roles": "service",
            "service_token_roles_required": "true",
        }

    def shared(self, service: str) -> Sections:
        return {
            "keystone_authtoken": self.authtoken(service),
            "oslo_concurrency": {"lock_path": self.data / service / "locks"},
            "oslo_messaging_notifications": {"driver": "noop"},
        }

    def keystone(self) -> Sections:
        return {
            "DEFAULT": self.common("keystone"),
            "database": self.database("keystone"),
            "token": {"provider": "fernet", "expiration": 86400},
            "fernet_tokens": {"key_repository": self.data / "keystone/fernet"},
            "credential": {"key_repository": self.data / "keystone/credential"},
            "cache": {"enabled": "true", "backend": "dogpile.cache.memory"},
            "oslo_policy": {"enforce_scope": "true"},
            # bcrypt's least rounds: passwords here are random and long, and logins are many
            "identity": {"password_hash_rounds": 4},
        }

    def placement(self) -> Sections:
        return {
            "DEFAULT": self.common("placement"),
            "placement_database": self.database("placement"),
            "api": {"auth_strategy": "keystone"},
            "keystone_authtoken": self.authtoken("placement"),
        }

    def glance(self) -> Sections:
        return {
            "DEFAULT": {
                **self.common("glance"),
                "enabled_backends": "file:file",
                "enabled_import_methods": "[glance-direct,web-download]",
                "worker_self_reference_url": self.settings.url("glance"),
            },
            "database": self.database("glance"),
            "glance_store": {"default_backend": "file"},
            "file": {"filesystem_store_datadir": self.data / "glance/images"},
            "os_glance_staging_store": {"filesystem_store_datadir": self.data / "glance/staging"},
            "os_glance_tasks_store": {"filesystem_store_datadir": self.data / "glance/tasks"},
            "paste_deploy": {
                "flavor": "keystone",
                "config_file": self.venv / "etc/glance/glance-api-paste.ini",
            },
            **self.shared("glance"),
        }

    def neutron(self) -> Sections:
        return {
            "DEFAULT": {
                **self.common("neutron"),
                "core_plugin": "ml2",
                "service_plugins": "lab.cloud.neutron_l3.LabRouterPlugin",
                "auth_strategy": "keystone",
                "api_paste_config": self.venv / "etc/neutron/api-paste.ini",
                "notify_nova_on_port_status_changes": "true",
                "notify_nova_on_port_data_changes": "true",
                "dhcp_agent_notification": "false",
                "api_workers": 1,
                "rpc_workers": 0,
                "rpc_state_report_workers": 0,
            },
            "database": self.database("neutron"),
            "ml2": {
                "type_drivers": "flat,vlan,local",
                "tenant_network_types": "local",
                "mechanism_drivers": "lab",
                "extension_drivers": "port_security",
            },
            "ml2_type_flat": {"flat_networks": "*"},
            "ml2_type_vlan": {"network_vlan_ranges": "physnet1:1:4000"},
            "nova": self.client("nova"),
            "placement": self.client("placement"),
            **self.shared("neutron"),
        }

    def nova(self) -> Sections:
        driver = {"docker": "DockerDriver", "fake": "FakeNode"}[self.settings.hypervisors]
        return {
            "DEFAULT": {
                **self.common("nova"),
                "my_ip": "127.0.0.1",
                "host": self.settings.name,
                "compute_driver": f"lab.{driver}",
                "force_config_drive": "true",
                "allow_resize_to_same_host": "true",
                "instances_path": self.data / "nova/instances",
                "update_resources_interval": 60,
                "max_concurrent_builds": 4,
                "ram_allocation_ratio": 1.0,
                "cpu_allocation_ratio": 16.0,
                "disk_allocation_ratio": 1.0,
                "reserved_host_memory_mb": 0,
                "resume_guests_state_on_host_boot": "true",
            },
            "api_database": self.database("nova_api"),
            "database": self.database("nova"),
            "api": {"auth_strategy": "keystone"},
            "wsgi": {"api_paste_config": self.venv / "etc/nova/api-paste.ini"},
            "notifications": {"notification_format": "unversioned"},
            "filter_scheduler": {"track_instance_changes": "false"},
            "glance": {"api_servers": self.settings.url("glance")},
            "vnc": {"enabled": "false"},
            "service_user": {"send_service_user_token": "true", **self.credentials("nova")},
            "placement": self.client("placement"),
            "neutron": self.client("neutron"),
            "cinder": self.client("cinder"),
            **self.shared("nova"),
        }

    def cinder(self) -> Sections:
        return {
            "DEFAULT": {
                **self.common("cinder"),
                "host": self.settings.name,
                "my_ip": "127.0.0.1",
                "auth_strategy": "keystone",
                "enabled_backends": "files",
                "default_volume_type": "__DEFAULT__",
                "scheduler_driver_init_wait_time": 1,
                "api_paste_config": self.venv / "etc/cinder/api-paste.ini",
                "resource_query_filters_file": self.venv / "etc/cinder/resource_filters.json",
                "glance_api_servers": self.settings.url("glance"),
            },
            "files": {
                "volume_driver": "lab.cloud.cinder_driver.FileDriver",
                "volume_backend_name": "files",
            },
            "database": self.database("cinder"),
            "coordination": {"backend_url": f"file://{self.data}/cinder/coordination"},
            "nova": self.client("nova"),
            **self.shared("cinder"),
        }


def files(settings: Settings, passwords: Mapping[str, str], state: Path, venv: Path) -> dict[str, str]:
    """Text of every service's configuration file, by its path below `<state>/etc`."""
    writer = _Writer(settings, passwords, state, venv)
    return {f"{service}/{CONFIG_FILE[service]}": ini(getattr(writer, service)()) for service in SERVICES}


def clouds_yaml(settings: Settings, passwords: Mapping[str, str]) -> str:
    """clouds.yaml with the member of the lab's project, under `<name>-inside` the same as guests reach the cloud, and
    under `<name>-admin` the administrator.
    """

    def entry(name: str, user: str, project: str, url: str = settings.url("keystone"), region: str = REGION) -> str:
        return (
            f"  {name}:\n"
            "    auth:\n"
            f"      auth_url: {url}/v3\n"
            f"      username: {user}\n"
            f"      password: {passwords[user]}\n"
            f"      project_name: {project}\n"
            "      user_domain_name: Default\n"
            "      project_domain_name: Default\n"
            f"    region_name: {region}\n"
        )

    return (
        "# Written by `lab up`, which writes it again at every start.\n"
        "clouds:\n"
        + entry(settings.name, MEMBER, settings.name)
        + entry(f"{settings.name}-{INSIDE}", MEMBER, settings.name, settings.inside_url("keystone"), INSIDE)
        + entry(f"{settings.name}-admin", "admin", "admin")
    )


def terraformrc(mirror: Path) -> str:
    """Terraform's CLI configuration: the OpenStack provider comes from the mirror, under both registries' names."""
    provider = "terraform-provider-openstack/openstack"
    names = f'["registry.terraform.io/{provider}", "registry.opentofu.org/{provider}"]'
    return (
        "# Written by `lab up`, which writes it again at every start.\n"
        "provider_installation {\n"
        "  filesystem_mirror {\n"
        f'    path    = "{mirror}"\n'
        f"    include = {names}\n"
        "  }\n"
        "  direct {\n"
        f"    exclude = {names}\n"
        "  }\n"
        "}\n"
    )
