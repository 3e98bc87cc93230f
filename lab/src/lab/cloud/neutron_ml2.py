"""ML2 mechanism driver that binds every port at once, without an agent, and marks it ACTIVE."""

from __future__ import annotations

from typing import Any

from neutron.services.segments import db as segments_db
from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api

from lab.cloud.neutron_firewall import firewall


class LabMechanismDriver(api.MechanismDriver):
    resource_provider_uuid5_namespace = None

    def initialize(self) -> None:
        # The first removal of a network would load the whole segments plugin, whose notifier then asks placement for
        # every port: slow, and not safe between threads while it loads.
        segments_db.segments_plugin = segments_db.SegmentDbMixin()
        firewall()

    @property
    def connectivity(self) -> str:
        return portbindings.CONNECTIVITY_L2

    def bind_port(self, context: Any) -> None:
        # Nova knows no plain Linux bridges any more; nothing here ever looks for the bridge that this names
        details = {portbindings.CAP_PORT_FILTER: True, "bridge_name": "br-int"}
        for segment in context.segments_to_bind:
            context.set_binding(segment[api.ID], portbindings.VIF_TYPE_OVS, details, constants.PORT_STATUS_ACTIVE)
            return
