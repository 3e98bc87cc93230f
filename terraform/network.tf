# One network of the facility's own, and the router that leads out of it.

locals {
  # What has no metadata says in its description whose it is: `terraform/tf` finds there what a killed apply left behind.
  mark = "facility ${var.facility}"

  own_ranges = {
    network_cidr = var.network_cidr
    pod_cidr     = var.pod_cidr
    service_cidr = var.service_cidr
  }
  # Taken by others.
  foreign_ranges = merge(
    { "Docker's default" = "172.17.0.0/16" },
    { for name, cidr in var.reserved_cidrs : "reserved_cidrs.${name}" => cidr },
  )
  ranges = merge(local.foreign_ranges, local.own_ranges)
  range_pairs = concat(
    [["network_cidr", "pod_cidr"], ["network_cidr", "service_cidr"], ["pod_cidr", "service_cidr"]],
    setproduct(keys(local.own_ranges), keys(local.foreign_ranges)),
  )
  shorter_prefix = [
    for pair in local.range_pairs : min([for name in pair : tonumber(split("/", local.ranges[name])[1])]...)
  ]

  # Two ranges share addresses when both begin alike after the longer prefix is cut to the shorter one.
  overlaps = [
    for number, pair in local.range_pairs : join(" and ", [for name in pair : "${name} ${local.ranges[name]}"])
    if length(distinct([
      for name in pair : cidrhost("${split("/", local.ranges[name])[0]}/${local.shorter_prefix[number]}", 0)
    ])) == 1
  ]
}

data "openstack_networking_network_v2" "external" {
  name = var.external_network

  lifecycle {
    postcondition {
      condition     = coalesce(self.external, true)
      error_message = "external_network is \"${var.external_network}\", which is not external: floating IPs cannot come from it. Name one that `openstack network list --external` shows, in inventory/<site>/terraform.tfvars."
    }
  }
}

resource "openstack_networking_network_v2" "nodes" {
  name           = var.facility
  description    = local.mark
  admin_state_up = true

  lifecycle {
    precondition {
      condition     = length(local.overlaps) == 0
      error_message = "Address ranges overlap: ${join("; ", local.overlaps)}. Change one of each pair in inventory/<site>/terraform.tfvars."
    }
  }
}

resource "openstack_networking_subnet_v2" "nodes" {
  name            = var.facility
  description     = local.mark
  network_id      = openstack_networking_network_v2.nodes.id
  cidr            = var.network_cidr
  ip_version      = 4
  dns_nameservers = var.dns_nameservers
}

resource "openstack_networking_router_v2" "nodes" {
  name                = var.facility
  description         = local.mark
  external_network_id = data.openstack_networking_network_v2.external.id
}

resource "openstack_networking_router_interface_v2" "nodes" {
  router_id = openstack_networking_router_v2.nodes.id
  subnet_id = openstack_networking_subnet_v2.nodes.id
}

# Ports of their own, so that a node that is built anew keeps its address.
resource "openstack_networking_port_v2" "node" {
  for_each = var.nodes

  name           = "${var.facility}-${each.key}"
  description    = local.mark
  network_id     = openstack_networking_network_v2.nodes.id
  admin_state_up = true
  security_group_ids = concat(
    [openstack_networking_secgroup_v2.node.id],
    contains(each.value.groups, "controlplane") ? [openstack_networking_secgroup_v2.controlplane.id] : [],
  )

  fixed_ip {
    subnet_id = openstack_networking_subnet_v2.nodes.id
  }
}

# The control plane is reached from outside; all other nodes through it.
resource "openstack_networking_floatingip_v2" "controlplane" {
  for_each = local.controlplane

  pool        = var.external_network
  description = "${local.mark}: ${var.facility}-${each.key}"
}

resource "openstack_networking_floatingip_associate_v2" "controlplane" {
  for_each = local.controlplane

  floating_ip = openstack_networking_floatingip_v2.controlplane[each.key].address
  port_id     = openstack_networking_port_v2.node[each.key].id

  # A floating IP needs the way out to be there.
  depends_on = [openstack_networking_router_interface_v2.nodes]
}
