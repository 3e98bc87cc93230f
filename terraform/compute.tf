# The nodes. Everything is keyed on the node's name: adding or removing one touches no other.

locals {
  controlplane = toset([for name, node in var.nodes : name if contains(node.groups, "controlplane")])
  images       = toset([for node in var.nodes : coalesce(node.image, var.image)])

  # What the programs of a group need to run at all; of several groups a node has to carry the largest number of cores
  # and the sum of the memory.
  least = {
    controlplane = { vcpus = 2, ram_mib = 1700 }
    etcd         = { vcpus = 1, ram_mib = 300 }
    worker       = { vcpus = 1, ram_mib = 1000 }
  }
  least_of_node = {
    for name, node in var.nodes : name => {
      vcpus   = max(0, [for group in node.groups : try(local.least[group].vcpus, 0)]...)
      ram_mib = sum(concat([0], [for group in node.groups : try(local.least[group].ram_mib, 0)]))
    }
  }
}

data "openstack_compute_flavor_v2" "node" {
  for_each = toset([for node in var.nodes : node.flavor])

  name = each.key
}

data "openstack_images_image_v2" "node" {
  for_each = local.images

  name        = each.key
  most_recent = true
}

resource "openstack_compute_keypair_v2" "admin" {
  name       = var.facility
  public_key = trimspace(file(pathexpand(var.ssh_public_key_file)))
}

# Apart if the cloud has the hypervisors for it, together if not.
resource "openstack_compute_servergroup_v2" "nodes" {
  name     = var.facility
  policies = ["soft-anti-affinity"]
}

resource "openstack_compute_instance_v2" "node" {
  for_each = var.nodes

  name              = "${var.facility}-${each.key}"
  flavor_id         = data.openstack_compute_flavor_v2.node[each.value.flavor].id
  image_id          = data.openstack_images_image_v2.node[coalesce(each.value.image, var.image)].id
  key_pair          = openstack_compute_keypair_v2.admin.name
  availability_zone = each.value.availability_zone

  # Ansible finds the nodes and makes its groups from these two.
  metadata = {
    facility = var.facility
    groups   = join(",", sort(each.value.groups))
  }

  network {
    port = openstack_networking_port_v2.node[each.key].id
  }

  scheduler_hints {
    group = openstack_compute_servergroup_v2.nodes.id
  }

  lifecycle {
    # A newer upload of the image must not rebuild nodes that run.
    ignore_changes = [image_id]

    # A cloud that does not tell the flavor's size, as a mocked one, is not second-guessed.
    precondition {
      condition = try(
        data.openstack_compute_flavor_v2.node[each.value.flavor].vcpus >= local.least_of_node[each.key].vcpus
        && data.openstack_compute_flavor_v2.node[each.value.flavor].ram >= local.least_of_node[each.key].ram_mib,
        true,
      )
      error_message = "flavor of node ${each.key} is ${each.value.flavor} (${coalesce(data.openstack_compute_flavor_v2.node[each.value.flavor].vcpus, 0)} vCPUs, ${coalesce(data.openstack_compute_flavor_v2.node[each.value.flavor].ram, 0)} MiB), too small for ${join(", ", each.value.groups)}: at least ${local.least_of_node[each.key].vcpus} vCPUs and ${local.least_of_node[each.key].ram_mib} MiB are needed. Take a larger one in inventory/<site>/terraform.tfvars."
    }
  }
}
