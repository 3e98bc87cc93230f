output "facility" {
  description = "Name of the facility; whose state this is."
  value       = var.facility
}

# Over what is there, not over what is ordered: a facility that is half made has outputs too.
output "nodes" {
  description = "The nodes as they were built, by the name of the server."
  value = {
    for name, server in openstack_compute_instance_v2.node : server.name => {
      server_id   = server.id
      groups      = sort(var.nodes[name].groups)
      flavor      = var.nodes[name].flavor
      fixed_ip    = try(one(openstack_networking_port_v2.node[name].all_fixed_ips), null)
      floating_ip = try(openstack_networking_floatingip_v2.controlplane[name].address, null)
    }
  }
}

output "api_addresses" {
  description = "Addresses of the Kubernetes API as administrators see it, by the name of the server."
  value = {
    for name, floating in openstack_networking_floatingip_v2.controlplane : "${var.facility}-${name}" => "https://${floating.address}:6443"
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
