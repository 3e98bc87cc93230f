# Preconditions stand here where they are nobody's in particular: each is told once, before anything is made.

output "facility" {
  description = "Name of the facility; whose state this is."
  value       = var.facility

  precondition {
    condition     = length(local.overlaps) == 0
    error_message = "Address ranges overlap: ${join("; ", local.overlaps)}. Change one of each pair in inventory/<site>/terraform.tfvars."
  }
}

# Over what is there, not over what is ordered: a facility that is half made has outputs too.
output "nodes" {
  description = "The nodes as they were built, by the name of the server; volumes are the further ones, by name."
  value = {
    for name, server in openstack_compute_instance_v2.node : server.name => merge(
      {
        server_id   = server.id
        groups      = sort(var.nodes[name].groups)
        flavor      = var.nodes[name].flavor
        fixed_ip    = try(one(openstack_networking_port_v2.node[name].all_fixed_ips), null)
        floating_ip = try(openstack_networking_floatingip_v2.controlplane[name].address, null)
      },
      # Only where there are any.
      { for key in ["volumes"] : key => { for volume in keys(var.nodes[name].volumes) : volume => try(openstack_blockstorage_volume_v3.further["${name}/${volume}"].id, null) } if length(var.nodes[name].volumes) > 0 },
    )
  }
}

output "api_addresses" {
  description = "Addresses of the Kubernetes API as administrators see it, by the name of the server."
  value = {
    for name, floating in openstack_networking_floatingip_v2.controlplane : "${var.facility}-${name}" => "https://${floating.address}:6443"
  }

  precondition {
    condition     = coalesce(module.cloud.external_network.external, true)
    error_message = "external_network is \"${var.external_network}\", which is not external: floating IPs cannot come from it. Name one that `openstack network list --external` shows, in inventory/<site>/terraform.tfvars."
  }
}

output "quota" {
  description = "What the facility takes of the project's quota; -1 allows any number."
  value       = local.quota

  precondition {
    condition     = length(local.quota_exceeded) == 0
    error_message = "The project's quota is too small. ${join("; ", local.quota_exceeded)}. Order less in inventory/<site>/terraform.tfvars, or ask the cloud's operators for more."
  }
}
