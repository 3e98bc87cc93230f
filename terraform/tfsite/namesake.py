"""Is there a facility of this name in the project that this state does not know?

Key pairs of one name refuse each other, but only once half of the rest was created; servers of one name do not, and the
inventory, which goes by their metadata, would take two facilities for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import Problem

SERVER, KEY_PAIR = "openstack_compute_instance_v2", "openstack_compute_keypair_v2"


def check(plan: Mapping[str, Any], connection: Any, facility: str, shown: str) -> None:
    """Refuse a plan (`terraform show -json`) that adds to what another state made; `shown` is terraform.tfvars."""
    changes = [each for each in plan.get("resource_changes", []) if each["type"] in (SERVER, KEY_PAIR)]
    created = [each for each in changes if "create" in each["change"]["actions"] and not each["change"].get("before")]
    if not created:
        return
    known = {each["change"]["before"]["id"] for each in changes if each["change"].get("before")}
    names = {each["change"]["after"]["name"] for each in created if each["type"] == KEY_PAIR}
    found = [f"key pair {each.name!r}" for each in connection.compute.keypairs() if each.name in names]
    servers = connection.compute.servers(details=True, metadata={"facility": facility})
    found += sorted(f"server {each.name!r}" for each in servers if each.id not in known)
    if found:
        raise Problem(
            f"The project has a facility {facility!r} that this Terraform state does not know, nothing was changed. "
            f"There is already: {', '.join(found)}.",
            "Work where it was made (the checkout, or the state's backend), destroy it there, or give this one another "
            f"name: facility in {shown}.",
        )
