# The nodes. Everything is keyed on the node's name: adding or removing one touches no other.

locals {
  # Control planes with an address outside.
  reachable = toset([for name, node in var.nodes : name if contains(node.groups, "controlplane") && coalesce(node.floating_ip, true)])

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

  # The key that nodes let in, without its comment.
  public_key = join(" ", slice(split(" ", trimspace(file(pathexpand(var.ssh_public_key_file)))), 0, 2))
  keypair    = var.existing.keypair == null ? openstack_compute_keypair_v2.admin[0].name : data.openstack_compute_keypair_v2.admin[0].name
}

module "cloud" {
  source = "./cloud"

  flavors          = toset([for node in var.nodes : node.flavor])
  external_network = var.external_network
}

resource "openstack_compute_keypair_v2" "admin" {
  count = var.existing.keypair == null ? 1 : 0

  name       = var.facility
  public_key = trimspace(file(pathexpand(var.ssh_public_key_file)))
}

data "openstack_compute_keypair_v2" "admin" {
  count = var.existing.keypair == null ? 0 : 1

  name = var.existing.keypair

  lifecycle {
    postcondition {
      condition     = startswith("${trimspace(self.public_key)} ", "${local.public_key} ")
      error_message = "existing.keypair is \"${var.existing.keypair}\", which holds another key than ${var.ssh_public_key_file}: nobody here could log in. Put both halves of that key where ssh_public_key_file says, or take existing.keypair out of inventory/<site>/terraform.tfvars."
    }
  }
}

# Apart if the cloud has the hypervisors for it, together if not.
resource "openstack_compute_servergroup_v2" "nodes" {
  name     = var.facility
  policies = ["soft-anti-affinity"]
}

resource "openstack_compute_instance_v2" "node" {
  for_each = var.nodes

  name              = "${var.facility}-${each.key}"
  flavor_id         = module.cloud.flavors[each.value.flavor].id
  image_id          = each.value.boot_volume_gib > 0 ? null : local.image_ids[coalesce(each.value.image, var.image)]
  key_pair          = local.keypair
  availability_zone = each.value.availability_zone

  # Ansible finds the nodes and makes its groups from the first two. The third tells it the data volume where that is not
  # the only one; empty where there is none.
  metadata = merge(
    {
      facility = var.facility
      groups   = join(",", sort(each.value.groups))
    },
    { for key in ["data_volume"] : key => try(openstack_blockstorage_volume_v3.data[each.key].id, "") if length(each.value.volumes) > 0 || each.value.boot_volume_gib > 0 },
  )

  network {
    port = openstack_networking_port_v2.node[each.key].id
  }

  dynamic "block_device" {
    for_each = each.value.boot_volume_gib > 0 ? [each.value.boot_volume_gib] : []

    content {
      source_type           = "image"
      uuid                  = local.image_ids[coalesce(each.value.image, var.image)]
      destination_type      = "volume"
      volume_size           = block_device.value
      boot_index            = 0
      delete_on_termination = true
    }
  }

  scheduler_hints {
    group = openstack_compute_servergroup_v2.nodes.id
  }

  lifecycle {
    # A newer upload of the image, or another key pair, must not rebuild nodes that run.
    ignore_changes = [image_id, block_device, key_pair]

    # A cloud that does not tell the flavor's size is not second-guessed.
    precondition {
      condition = try(
        module.cloud.flavors[each.value.flavor].vcpus >= local.least_of_node[each.key].vcpus
        && module.cloud.flavors[each.value.flavor].ram_mib >= local.least_of_node[each.key].ram_mib,
        true,
      )
      error_message = "flavor of node ${each.key} is ${each.value.flavor} (${coalesce(module.cloud.flavors[each.value.flavor].vcpus, 0)} vCPUs, ${coalesce(module.cloud.flavors[each.value.flavor].ram_mib, 0)} MiB), too small for ${join(", ", each.value.groups)}: at least ${local.least_of_node[each.key].vcpus} vCPUs and ${local.least_of_node[each.key].ram_mib} MiB are needed. Take a larger one in inventory/<site>/terraform.tfvars."
    }
  }
}
