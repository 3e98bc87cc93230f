# Who may reach which port. Neutron refuses whatever no rule allows; the way out is open, by Neutron's own default.
# Where a site brings its security groups (variable `existing`), their rules are the site's, and none is made here.

locals {
  makes_groups = var.existing.security_groups == null
  security_group_ids = {
    for name in ["node", "controlplane"] : name => (
      local.makes_groups
      ? { node = one(openstack_networking_secgroup_v2.node[*].id), controlplane = one(openstack_networking_secgroup_v2.controlplane[*].id) }[name]
      : data.openstack_networking_secgroup_v2.existing[name].id
    )
  }

  # Between nodes of the facility, and from nowhere else.
  node_ports = local.makes_groups ? {
    ssh                = { protocol = "tcp", from = 22, to = 22 } # nodes without a floating IP are reached through one that has
    api                = { protocol = "tcp", from = 6443, to = 6443 }
    etcd               = { protocol = "tcp", from = 2379, to = 2380 }
    kubelet            = { protocol = "tcp", from = 10250, to = 10250 }
    scheduler          = { protocol = "tcp", from = 10259, to = 10259 }
    controller-manager = { protocol = "tcp", from = 10257, to = 10257 }
    flannel-vxlan      = { protocol = "udp", from = 8472, to = 8472 }
    node-exporter      = { protocol = "tcp", from = 9100, to = 9100 }
    nodeport-tcp       = { protocol = "tcp", from = 30000, to = 32767 }
    nodeport-udp       = { protocol = "udp", from = 30000, to = 32767 }
  } : {}
  # From outside, on the control plane.
  public_ports = merge(
    { for cidr in var.admin_cidrs : "api from ${cidr}" => { port = 6443, cidr = cidr } if local.makes_groups },
    { for cidr in var.user_cidrs : "https from ${cidr}" => { port = 443, cidr = cidr } if local.makes_groups },
  )
}

data "openstack_networking_secgroup_v2" "existing" {
  for_each = local.makes_groups ? {} : var.existing.security_groups

  name = each.value
}

resource "openstack_networking_secgroup_v2" "node" {
  count = local.makes_groups ? 1 : 0

  name        = "${var.facility}-node"
  description = "${local.mark}: ssh from its administrators, Kubernetes among its nodes"

  lifecycle {
    precondition {
      condition     = var.allow_world_ssh || !anytrue([for cidr in var.admin_cidrs : endswith(cidr, "/0")])
      error_message = "admin_cidrs is [${join(", ", var.admin_cidrs)}], which opens ssh to everybody. Name narrower ranges in inventory/<site>/terraform.tfvars, or set allow_world_ssh = true there if that is what you want."
    }
  }
}

resource "openstack_networking_secgroup_v2" "controlplane" {
  count = local.makes_groups ? 1 : 0

  name        = "${var.facility}-controlplane"
  description = "${local.mark}: the Kubernetes API for administrators, https for users"
}

resource "openstack_networking_secgroup_rule_v2" "ssh" {
  for_each = local.makes_groups ? var.admin_cidrs : []

  description       = "ssh from ${each.key}"
  direction         = "ingress"
  ethertype         = "IPv4"
  protocol          = "tcp"
  port_range_min    = 22
  port_range_max    = 22
  remote_ip_prefix  = each.key
  security_group_id = openstack_networking_secgroup_v2.node[0].id
}

resource "openstack_networking_secgroup_rule_v2" "between_nodes" {
  for_each = local.node_ports

  description       = "${each.key} between nodes"
  direction         = "ingress"
  ethertype         = "IPv4"
  protocol          = each.value.protocol
  port_range_min    = each.value.from
  port_range_max    = each.value.to
  remote_group_id   = openstack_networking_secgroup_v2.node[0].id
  security_group_id = openstack_networking_secgroup_v2.node[0].id
}

# Without it a smaller MTU on the way is never learned.
resource "openstack_networking_secgroup_rule_v2" "icmp_between_nodes" {
  count = local.makes_groups ? 1 : 0

  description       = "icmp between nodes"
  direction         = "ingress"
  ethertype         = "IPv4"
  protocol          = "icmp"
  remote_group_id   = openstack_networking_secgroup_v2.node[0].id
  security_group_id = openstack_networking_secgroup_v2.node[0].id
}

resource "openstack_networking_secgroup_rule_v2" "public" {
  for_each = local.public_ports

  description       = each.key
  direction         = "ingress"
  ethertype         = "IPv4"
  protocol          = "tcp"
  port_range_min    = each.value.port
  port_range_max    = each.value.port
  remote_ip_prefix  = each.value.cidr
  security_group_id = openstack_networking_secgroup_v2.controlplane[0].id
}
