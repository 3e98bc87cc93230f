# A volume per node for containers, kubelet and scratch. It is a resource of its own, so that it outlives its server:
# a node that is built anew gets the same volume back. Taking the node out of `nodes` deletes it.

locals {
  volumes = { for name, node in var.nodes : name => node.data_volume_gib if node.data_volume_gib > 0 }
}

resource "openstack_blockstorage_volume_v3" "data" {
  for_each = local.volumes

  name                 = "${var.facility}-${each.key}-data"
  size                 = each.value
  enable_online_resize = true

  metadata = {
    facility = var.facility
  }
}

resource "openstack_compute_volume_attach_v2" "data" {
  for_each = local.volumes

  instance_id = openstack_compute_instance_v2.node[each.key].id
  volume_id   = openstack_blockstorage_volume_v3.data[each.key].id
}
