# The image of the nodes: one that the cloud has, by its name, or one that is uploaded once.

locals {
  uploads = { for upload in [var.image_upload] : upload.sha256 => upload if upload != null }
  # Names to look up: those that are not uploaded here.
  images = setsubtract(
    [for node in var.nodes : coalesce(node.image, var.image)],
    [for upload in local.uploads : var.image],
  )
  image_ids = merge(
    { for name, image in data.openstack_images_image_v2.node : name => image.id },
    { for upload in openstack_images_image_v2.upload : upload.name => upload.id },
  )
}

data "openstack_images_image_v2" "node" {
  for_each = local.images

  name        = each.key
  most_recent = true
}

# Another sum is another image; nodes that run keep the one they were built from.
resource "openstack_images_image_v2" "upload" {
  for_each = local.uploads

  name             = var.image
  container_format = "bare"
  disk_format      = each.value.disk_format
  local_file_path  = var.image_file
  properties       = merge(each.value.properties, { facility = var.facility, facility_sha256 = each.key })

  lifecycle {
    # Where the file lies on this machine is no property of the image.
    ignore_changes = [local_file_path]

    precondition {
      condition     = try(filesha256(pathexpand(var.image_file)) == each.key, false)
      error_message = "image_file is \"${var.image_file}\", and there is no file with the sha256 ${each.key} in it. `terraform/tf` fetches ${each.value.url} and checks it; without it, do that by hand and set image_file."
    }
  }
}
