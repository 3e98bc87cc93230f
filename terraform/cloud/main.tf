# What the cloud has, of the things that a site names and cannot make: flavors and the network outside. A module of its
# own, because the provider's schema lets nothing but a cloud give these values: tests put others in place of its outputs.

terraform {
  required_providers {
    openstack = {
      source = "terraform-provider-openstack/openstack"
    }
  }
}

variable "flavors" {
  type        = set(string)
  description = "Names of the flavors to look up."
}

variable "external_network" {
  type        = string
  description = "Name of the network that floating IPs come from."
}

data "openstack_compute_flavor_v2" "node" {
  for_each = var.flavors

  name = each.key
}

data "openstack_networking_network_v2" "external" {
  name = var.external_network
}

output "flavors" {
  description = "The flavors by name: their id, and their size (null where the cloud does not tell it)."
  value = {
    for name, flavor in data.openstack_compute_flavor_v2.node : name => {
      id      = flavor.id
      vcpus   = flavor.vcpus
      ram_mib = flavor.ram
    }
  }
}

output "external_network" {
  description = "Id of the network outside, and whether it is one (null where the cloud does not tell)."
  value = {
    id       = data.openstack_networking_network_v2.external.id
    external = data.openstack_networking_network_v2.external.external
  }
}
