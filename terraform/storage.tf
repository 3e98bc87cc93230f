# Volumes of the nodes. They are resources of their own, so that they outlive their server: a node that is built anew
# gets the same volumes back. Taking a node out of `nodes`, or a name out of its `volumes`, deletes them.

locals {
  # For containers, kubelet and scratch.
  volumes = { for name, node in var.nodes : name => node.data_volume_gib if node.data_volume_gib > 0 }
  # Whatever else a node was given, by "<node>/<name>".
  further_volumes = merge([
    for name, node in var.nodes : {
      for volume, size in node.volumes : "${name}/${volume}" => { node = name, volume = volume, size_gib = size }
    }
  ]...)
  boot_volumes = { for name, node in var.nodes : name => node.boot_volume_gib if node.boot_volume_gib > 0 }

  volume_sizes = concat(
    values(local.volumes),
    [for volume in values(local.further_volumes) : volume.size_gib],
    values(local.boot_volumes),
  )
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

resource "openstack_blockstorage_volume_v3" "further" {
  for_each = local.further_volumes

  name                 = "${var.facility}-${each.value.node}-${each.value.volume}"
  size                 = each.value.size_gib
  enable_online_resize = true

  metadata = {
    facility = var.facility
    node     = each.value.node
    volume   = each.value.volume
  }
}

resource "openstack_compute_volume_attach_v2" "further" {
  for_each = local.further_volumes

  instance_id = openstack_compute_instance_v2.node[each.value.node].id
  volume_id   = openstack_blockstorage_volume_v3.further[each.key].id

  # The data volume is the first one that a node sees.
  depends_on = [openstack_compute_volume_attach_v2.data]
}
