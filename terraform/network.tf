# The nodes' network with its subnet, and the router that leads out of it: made here, or the site's (variable `existing`).

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

locals {
  network_id = var.existing.network == null ? openstack_networking_network_v2.nodes[0].id : data.openstack_networking_network_v2.nodes[0].id
  subnet_id  = var.existing.subnet == null ? openstack_networking_subnet_v2.nodes[0].id : data.openstack_networking_subnet_v2.nodes[0].id

  # A subnet that is there has its way out; one that is made needs a router.
  makes_router = var.existing.subnet == null && var.existing.router == null
}

resource "openstack_networking_network_v2" "nodes" {
  count = var.existing.network == null ? 1 : 0

  name           = var.facility
  description    = local.mark
  admin_state_up = true
}

data "openstack_networking_network_v2" "nodes" {
  count = var.existing.network == null ? 0 : 1

  name = var.existing.network
}

resource "openstack_networking_subnet_v2" "nodes" {
  count = var.existing.subnet == null ? 1 : 0

  name            = var.facility
  description     = local.mark
  network_id      = local.network_id
  cidr            = var.network_cidr
  ip_version      = 4
  dns_nameservers = var.dns_nameservers
}

data "openstack_networking_subnet_v2" "nodes" {
  count = var.existing.subnet == null ? 0 : 1

  name       = var.existing.subnet
  network_id = local.network_id

  lifecycle {
    postcondition {
      condition     = self.cidr == var.network_cidr
      error_message = "network_cidr is \"${var.network_cidr}\", but the subnet \"${var.existing.subnet}\" has ${self.cidr}. Write that in inventory/<site>/terraform.tfvars: overlaps are looked for with it."
    }
  }
}

resource "openstack_networking_router_v2" "nodes" {
  count = local.makes_router ? 1 : 0

  name                = var.facility
  description         = local.mark
  external_network_id = module.cloud.external_network.id
}

data "openstack_networking_router_v2" "nodes" {
  count = var.existing.router == null ? 0 : 1

  name = var.existing.router

  lifecycle {
    postcondition {
      condition     = self.external_network_id == module.cloud.external_network.id
      error_message = "existing.router is \"${var.existing.router}\", which does not lead to the network \"${var.external_network}\": floating IPs would reach no node. Name a router with that gateway, or that router's external_network, in inventory/<site>/terraform.tfvars."
    }
  }
}

resource "openstack_networking_router_interface_v2" "nodes" {
  count = var.existing.subnet == null ? 1 : 0

  router_id = local.makes_router ? openstack_networking_router_v2.nodes[0].id : data.openstack_networking_router_v2.nodes[0].id
  subnet_id = local.subnet_id
}

# Ports of their own, so that a node that is built anew keeps its address.
resource "openstack_networking_port_v2" "node" {
  for_each = var.nodes

  name           = "${var.facility}-${each.key}"
  description    = local.mark
  network_id     = local.network_id
  admin_state_up = true
  security_group_ids = concat(
    [local.security_group_ids.node],
    contains(each.value.groups, "controlplane") ? [local.security_group_ids.controlplane] : [],
  )

  fixed_ip {
    subnet_id = local.subnet_id
  }
}

# Control planes are reached from outside; all other nodes through them.
resource "openstack_networking_floatingip_v2" "controlplane" {
  for_each = local.reachable

  pool        = var.external_network
  description = "${local.mark}: ${var.facility}-${each.key}"
}

resource "openstack_networking_floatingip_associate_v2" "controlplane" {
  for_each = local.reachable

  floating_ip = openstack_networking_floatingip_v2.controlplane[each.key].address
  port_id     = openstack_networking_port_v2.node[each.key].id

  # A floating IP needs the way out to be there.
  depends_on = [openstack_networking_router_interface_v2.nodes]
}
