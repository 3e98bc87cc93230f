"""Security groups and floating IPs for real: the lab's nftables table, made anew from Neutron's database."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from neutron.db import models_v2
from neutron.db.models import allowed_address_pair, l3, securitygroup
from neutron.db.port_security import models as port_security
from neutron_lib import context as neutron_context
from neutron_lib.callbacks import events, registry, resources
from neutron_lib.db import api as database
from oslo_log import log as logging

from lab.cloud import nft
from lab.settings import PORTS, Settings, of_this_process

LOG = logging.getLogger(__name__)
GATHER_S = 0.05  # changes come in bunches: one table for all of them
APPLY_S = 5.0  # how long a floating IP waits to be in the table before its request is answered

HAIRPIN_S = 5.0  # how long after its start a guest may have to wait to reach itself by its floating IP

WATCHED = {
    resources.SECURITY_GROUP_RULE: (events.AFTER_CREATE, events.AFTER_DELETE),
    resources.SECURITY_GROUP: (events.AFTER_UPDATE, events.AFTER_DELETE),
    resources.PORT: (events.AFTER_CREATE, events.AFTER_UPDATE, events.AFTER_DELETE),
}


def model(session: Any, settings: Settings) -> nft.Model:
    """What Neutron's database says, for IPv4."""
    addresses: dict[str, list[str]] = {}
    for allocation in session.query(models_v2.IPAllocation):
        if ":" not in allocation.ip_address:
            addresses.setdefault(allocation.port_id, []).append(allocation.ip_address)
    groups: dict[str, list[str]] = {}
    for binding in session.query(securitygroup.SecurityGroupPortBinding):
        groups.setdefault(binding.port_id, []).append(binding.security_group_id)
    pairs: dict[str, list[str]] = {}
    for pair in session.query(allowed_address_pair.AllowedAddressPair):
        if ":" not in str(pair.ip_address):
            pairs.setdefault(pair.port_id, []).append(str(pair.ip_address))
    unsecured = {
        binding.port_id
        for binding in session.query(port_security.PortSecurityBinding)
        if not binding.port_security_enabled
    }
    guests = session.query(models_v2.Port).filter(models_v2.Port.device_owner.like("compute:%"))
    rules: dict[str, list[nft.Rule]] = {}
    for rule in session.query(securitygroup.SecurityGroupRule):
        if rule.ethertype == "IPv4":
            rules.setdefault(rule.security_group_id, []).append(_rule(rule))
    floating = session.query(l3.FloatingIP).filter(l3.FloatingIP.fixed_port_id.isnot(None))
    return nft.Model(
        name=settings.name,
        bridges=settings.bridges,
        external=settings.external_cidr,
        mirror=settings.mirror,
        inside=settings.inside,
        mirror_ports=[port + settings.port_base for port in nft.Model.mirror_ports],
        inside_ports=[settings.port(service) for service in PORTS],
        metadata_port=settings.metadata_port,
        ports=[
            nft.Port(
                port.id, addresses[port.id], groups.get(port.id, ()), pairs.get(port.id, ()), port.id not in unsecured
            )
            for port in guests
            if port.id in addresses
        ],
        rules=rules,
        floating={str(entry.floating_ip_address): str(entry.fixed_ip_address) for entry in floating},
    )


def _rule(rule: Any) -> nft.Rule:
    return nft.Rule(
        ingress=rule.direction == "ingress",
        group=rule.remote_group_id,
        prefix=str(rule.remote_ip_prefix) if rule.remote_ip_prefix else None,
        protocol=str(rule.protocol) if rule.protocol else None,
        first=rule.port_range_min,
        last=rule.port_range_max,
    )


def hairpin(bridges: str) -> None:
    """Let guests reach themselves by their own floating IPs.

    The kernel bridges a translated frame at once when it goes back to the bridge it came from, and a bridge sends
    nothing back out of the port it came in by, unless that port is told so. Ports come with each start of a guest.
    """
    for mode in Path("/sys/class/net").glob(f"{bridges}*/brif/*/hairpin_mode"):
        with contextlib.suppress(OSError):  # the guest may be gone by now
            if mode.read_text().strip() == "0":
                mode.write_text("1\n")


class Firewall:
    """Keeps the table as the database says it should be."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._changed = threading.Condition()
        self._asked = self._applied = 0

    def start(self) -> None:
        for resource, happenings in WATCHED.items():
            for event in happenings:
                registry.subscribe(self._callback, resource, event)
        threading.Thread(target=self._work, name="firewall", daemon=True).start()
        self.ask()

    def _callback(self, *_: Any, **__: Any) -> None:
        self.ask()

    def ask(self) -> int:
        """Say that something changed; returns a ticket for `wait`."""
        with self._changed:
            self._asked += 1
            self._changed.notify_all()
            return self._asked

    def wait(self, ticket: int) -> bool:
        """Whether what was asked for is in the kernel, after at most a few seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._applied >= ticket, APPLY_S)

    def _work(self) -> None:
        while True:
            with self._changed:
                asked = self._changed.wait_for(lambda: self._asked > self._applied, HAIRPIN_S)
            hairpin(self._settings.bridges)
            if not asked:
                continue
            time.sleep(GATHER_S)
            with self._changed:
                ticket = self._asked
            try:
                self._apply()
            except Exception:
                LOG.exception("the table of nftables is not up to date; the next try follows")
                time.sleep(1)
                continue
            with self._changed:
                self._applied = ticket
                self._changed.notify_all()

    def _apply(self) -> None:
        context = neutron_context.get_admin_context()
        with database.CONTEXT_READER.using(context):
            text = nft.render(model(context.session, self._settings))
        run = subprocess.run(["nft", "-f", "-"], input=text, capture_output=True, text=True)
        if run.returncode:
            raise RuntimeError(f"nft: {run.stderr}\n{text}")


_firewall: Firewall | None = None
_making = threading.Lock()


def firewall() -> Firewall | None:
    """The one of this process; none where servers have nothing behind them."""
    global _firewall
    settings, _ = of_this_process()
    if settings.hypervisors == "fake":
        return None
    with _making:
        if _firewall is None:
            _firewall = Firewall(settings)
            _firewall.start()
        return _firewall
