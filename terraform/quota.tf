# Does what is ordered fit into the project's quota? This compares the whole order with what is allowed. What others in
# the project already use is not known here (a member may not ask Nova for it through the provider); `terraform/tf`
# asks for that too before it applies.

data "openstack_identity_auth_scope_v3" "own" {
  name = "own"
}

data "openstack_compute_quotaset_v2" "own" {
  project_id = data.openstack_identity_auth_scope_v3.own.project_id
}

data "openstack_networking_quota_v2" "own" {
  project_id = data.openstack_identity_auth_scope_v3.own.project_id
}

data "openstack_blockstorage_quotaset_v3" "own" {
  project_id = data.openstack_identity_auth_scope_v3.own.project_id
}

locals {
  flavors_ordered = [for node in var.nodes : module.cloud.flavors[node.flavor]]

  # -1 allows any number. A size that the cloud does not tell counts as nothing.
  quota = {
    instances               = { asked = length(var.nodes), allowed = data.openstack_compute_quotaset_v2.own.instances }
    cores                   = { asked = sum([for flavor in local.flavors_ordered : coalesce(flavor.vcpus, 0)]), allowed = data.openstack_compute_quotaset_v2.own.cores }
    "RAM in MiB"            = { asked = sum([for flavor in local.flavors_ordered : coalesce(flavor.ram_mib, 0)]), allowed = data.openstack_compute_quotaset_v2.own.ram }
    "members of a group"    = { asked = length(var.nodes), allowed = data.openstack_compute_quotaset_v2.own.server_group_members }
    volumes                 = { asked = length(local.volume_sizes), allowed = data.openstack_blockstorage_quotaset_v3.own.volumes }
    "volumes' size in GiB"  = { asked = sum(concat([0], local.volume_sizes)), allowed = data.openstack_blockstorage_quotaset_v3.own.gigabytes }
    "largest volume in GiB" = { asked = max(0, local.volume_sizes...), allowed = data.openstack_blockstorage_quotaset_v3.own.per_volume_gigabytes }
    # The router's port counts, and the DHCP agent's where there is one.
    ports             = { asked = length(var.nodes) + (var.existing.subnet == null ? 2 : 0), allowed = data.openstack_networking_quota_v2.own.port }
    "floating IPs"    = { asked = length(local.reachable), allowed = data.openstack_networking_quota_v2.own.floatingip }
    networks          = { asked = var.existing.network == null ? 1 : 0, allowed = data.openstack_networking_quota_v2.own.network }
    routers           = { asked = local.makes_router ? 1 : 0, allowed = data.openstack_networking_quota_v2.own.router }
    "security groups" = { asked = local.makes_groups ? 2 : 0, allowed = data.openstack_networking_quota_v2.own.security_group }
    "security group rules" = {
      # Neutron puts two rules for the way out into each new group.
      asked   = local.makes_groups ? 2 * 2 + length(var.admin_cidrs) + length(local.node_ports) + 1 + length(local.public_ports) : 0
      allowed = data.openstack_networking_quota_v2.own.security_group_rule
    }
  }
  quota_exceeded = [
    for what, number in local.quota : "${what}: ${number.asked} asked, ${number.allowed} allowed"
    if number.allowed >= 0 && number.asked > number.allowed
  ]
}
