"""Routers and floating IPs without an agent: a floating IP is ACTIVE when it is associated and in the table."""

from __future__ import annotations

from typing import Any

from neutron.services.l3_router import l3_router_plugin
from neutron_lib import constants
from oslo_log import log as logging

from lab.cloud.neutron_firewall import firewall

LOG = logging.getLogger(__name__)


class LabRouterPlugin(l3_router_plugin.L3RouterPlugin):
    def create_floatingip(self, context: Any, floatingip: Any) -> Any:
        return self._wired(context, super().create_floatingip(context, floatingip))

    def update_floatingip(self, context: Any, id: str, floatingip: Any) -> Any:
        return self._wired(context, super().update_floatingip(context, id, floatingip))

    def delete_floatingip(self, context: Any, id: str) -> None:
        super().delete_floatingip(context, id)
        self._wire()

    def disassociate_floatingips(self, context: Any, port_id: str, **kwargs: Any) -> Any:
        result = super().disassociate_floatingips(context, port_id, **kwargs)
        admin = context.elevated()
        for loose in self.get_floatingips(admin, {"port_id": [None], "status": ["ACTIVE"]}):
            self.update_floatingip_status(admin, loose["id"], constants.FLOATINGIP_STATUS_DOWN)
        self._wire()
        return result

    def _wired(self, context: Any, floating: Any) -> Any:
        wanted = constants.FLOATINGIP_STATUS_ACTIVE if floating["port_id"] else constants.FLOATINGIP_STATUS_DOWN
        if not self._wire() and floating["port_id"]:
            wanted = constants.FLOATINGIP_STATUS_ERROR
        if floating["status"] != wanted:
            self.update_floatingip_status(context.elevated(), floating["id"], wanted)
            floating["status"] = wanted
        return floating

    def _wire(self) -> bool:
        table = firewall()
        return table is None or table.wait(table.ask())
