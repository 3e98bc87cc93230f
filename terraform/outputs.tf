output "facility" {
  description = "Name of the facility; whose state this is."
  value       = var.facility
}

output "nodes" {
  description = "The nodes as they were built, by the name of the server."
  value = {
    for name, node in var.nodes : "${var.facility}-${name}" => {
      server_id   = openstack_compute_instance_v2.node[name].id
      groups      = sort(node.groups)
      flavor      = node.flavor
      fixed_ip    = one(openstack_networking_port_v2.node[name].all_fixed_ips)
      floating_ip = contains(node.groups, "controlplane") ? openstack_networking_floatingip_v2.controlplane[name].address : null
    }
  }
}

output "api_addresses" {
  description = "Addresses of the Kubernetes API as administrators see it, by the name of the server."
  value = {
    for name in local.controlplane : "${var.facility}-${name}" => "https://${openstack_networking_floatingip_v2.controlplane[name].address}:6443"
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
