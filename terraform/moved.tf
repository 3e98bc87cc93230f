# Addresses that changed: a facility that was made before is not made anew.

moved {
  from = openstack_networking_network_v2.nodes
  to   = openstack_networking_network_v2.nodes[0]
}

moved {
  from = openstack_networking_subnet_v2.nodes
  to   = openstack_networking_subnet_v2.nodes[0]
}

moved {
  from = openstack_networking_router_v2.nodes
  to   = openstack_networking_router_v2.nodes[0]
}

moved {
  from = openstack_networking_router_interface_v2.nodes
  to   = openstack_networking_router_interface_v2.nodes[0]
}

moved {
  from = openstack_networking_secgroup_v2.node
  to   = openstack_networking_secgroup_v2.node[0]
}

moved {
  from = openstack_networking_secgroup_v2.controlplane
  to   = openstack_networking_secgroup_v2.controlplane[0]
}

moved {
  from = openstack_networking_secgroup_rule_v2.icmp_between_nodes
  to   = openstack_networking_secgroup_rule_v2.icmp_between_nodes[0]
}

moved {
  from = openstack_compute_keypair_v2.admin
  to   = openstack_compute_keypair_v2.admin[0]
}
