# A site sets these in inventory/<site>/terraform.tfvars. Conditions that need more than one variable, or the cloud,
# stand beside what they protect: network.tf, security.tf, compute.tf, quota.tf.

variable "facility" {
  type        = string
  description = <<-EOT
    Name of the facility; servers are called <facility>-<node>.
    Changing this later would build a second facility in place of the first: destroy the old one instead.
  EOT

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$", var.facility))
    error_message = "facility is \"${var.facility}\": lower-case letters, digits and hyphens, beginning with a letter, at most 32 of them. Correct it in inventory/<site>/terraform.tfvars."
  }
}

variable "cloud" {
  type        = string
  description = <<-EOT
    Name of the cloud in clouds.yaml.
    Changing this later means another cloud, where nothing of this facility exists: destroy here first.
  EOT

  validation {
    condition     = var.cloud != ""
    error_message = "cloud is empty: name an entry of clouds.yaml in inventory/<site>/terraform.tfvars."
  }
}

variable "external_network" {
  type        = string
  description = <<-EOT
    Name of the network that floating IPs come from.
    Changing this later replaces the floating IPs, and with them the address of the Kubernetes API.
  EOT

  validation {
    condition     = var.external_network != ""
    error_message = "external_network is empty: name a network that `openstack network list --external` shows, in inventory/<site>/terraform.tfvars."
  }
}

variable "network_cidr" {
  type        = string
  description = <<-EOT
    IPv4 range of the facility's own network.
    Changing this later replaces network, ports and every server.
  EOT

  validation {
    condition     = can(regex("^[0-9.]+/[0-9]+$", var.network_cidr)) && can(cidrhost(var.network_cidr, 0))
    error_message = "network_cidr is \"${var.network_cidr}\", which is no IPv4 range such as 10.20.0.0/24. Correct it in inventory/<site>/terraform.tfvars."
  }

  validation {
    condition     = try(tonumber(split("/", var.network_cidr)[1]) >= 16 && tonumber(split("/", var.network_cidr)[1]) <= 28, true)
    error_message = "network_cidr is \"${var.network_cidr}\": take a prefix from /16 to /28, in inventory/<site>/terraform.tfvars."
  }
}

variable "pod_cidr" {
  type        = string
  default     = "10.244.0.0/16"
  description = <<-EOT
    IPv4 range of the pods, the same as kubernetes_pod_cidr in group_vars; used here to refuse overlaps.
    Changing this later changes no resource of the cloud; the cluster has to be made anew.
  EOT

  validation {
    condition     = can(regex("^[0-9.]+/[0-9]+$", var.pod_cidr)) && can(cidrhost(var.pod_cidr, 0))
    error_message = "pod_cidr is \"${var.pod_cidr}\", which is no IPv4 range such as 10.244.0.0/16. Correct it in inventory/<site>/terraform.tfvars."
  }
}

variable "service_cidr" {
  type        = string
  default     = "10.96.0.0/12"
  description = <<-EOT
    IPv4 range of Kubernetes services, the same as kubernetes_service_cidr in group_vars; used here to refuse overlaps.
    Changing this later changes no resource of the cloud; the cluster has to be made anew.
  EOT

  validation {
    condition     = can(regex("^[0-9.]+/[0-9]+$", var.service_cidr)) && can(cidrhost(var.service_cidr, 0))
    error_message = "service_cidr is \"${var.service_cidr}\", which is no IPv4 range such as 10.96.0.0/12. Correct it in inventory/<site>/terraform.tfvars."
  }
}

variable "reserved_cidrs" {
  type        = map(string)
  default     = {}
  description = <<-EOT
    IPv4 ranges that the facility has to stay clear of, by what they are: { external = "192.0.2.0/24" }.
    Docker's default range is always one of them. Changing this later only changes the check.
  EOT

  validation {
    condition     = alltrue([for cidr in values(var.reserved_cidrs) : can(regex("^[0-9.]+/[0-9]+$", cidr)) && can(cidrhost(cidr, 0))])
    error_message = "reserved_cidrs has something that is no IPv4 range: ${join(", ", [for name, cidr in var.reserved_cidrs : "${name} = \"${cidr}\"" if !(can(regex("^[0-9.]+/[0-9]+$", cidr)) && can(cidrhost(cidr, 0)))])}. Correct it in inventory/<site>/terraform.tfvars."
  }
}

variable "dns_nameservers" {
  type        = list(string)
  default     = []
  description = <<-EOT
    Name servers that nodes learn by DHCP; empty leaves it to the cloud.
    Changing this later is in place; nodes follow at the next renewal of their lease.
  EOT

  validation {
    condition     = alltrue([for address in var.dns_nameservers : can(cidrhost("${address}/32", 0))])
    error_message = "dns_nameservers is [${join(", ", var.dns_nameservers)}]: IPv4 addresses are needed. Correct it in inventory/<site>/terraform.tfvars."
  }

  validation {
    condition     = alltrue([for address in var.dns_nameservers : !startswith(address, "127.")])
    error_message = "dns_nameservers is [${join(", ", var.dns_nameservers)}]: a loopback address makes CoreDNS ask itself. Give servers that nodes reach, in inventory/<site>/terraform.tfvars."
  }
}

variable "admin_cidrs" {
  type        = set(string)
  description = <<-EOT
    Where administrators come from: these reach ssh and the Kubernetes API.
    Changing this later adds and removes rules in place; open connections stay.
  EOT

  validation {
    condition     = length(var.admin_cidrs) > 0
    error_message = "admin_cidrs is empty: nobody could log in. Give the ranges that administrators come from, [\"<your address>/32\"] for one, in inventory/<site>/terraform.tfvars."
  }

  validation {
    condition     = alltrue([for cidr in var.admin_cidrs : can(regex("^[0-9.]+/[0-9]+$", cidr)) && can(cidrhost(cidr, 0))])
    error_message = "admin_cidrs is [${join(", ", var.admin_cidrs)}]: each has to be an IPv4 range such as 192.0.2.0/24. Correct it in inventory/<site>/terraform.tfvars."
  }
}

variable "user_cidrs" {
  type        = set(string)
  default     = []
  description = <<-EOT
    Where users come from: these reach the control plane's port 443. Empty: nobody.
    Changing this later adds and removes rules in place.
  EOT

  validation {
    condition     = alltrue([for cidr in var.user_cidrs : can(regex("^[0-9.]+/[0-9]+$", cidr)) && can(cidrhost(cidr, 0))])
    error_message = "user_cidrs is [${join(", ", var.user_cidrs)}]: each has to be an IPv4 range such as 192.0.2.0/24. Correct it in inventory/<site>/terraform.tfvars."
  }
}

variable "allow_world_ssh" {
  type        = bool
  default     = false
  description = <<-EOT
    Lets admin_cidrs hold 0.0.0.0/0, which opens ssh and the Kubernetes API to everybody.
    Changing this later only changes the check.
  EOT
}

variable "image" {
  type        = string
  description = <<-EOT
    Name of the image that nodes are built from; of several the newest.
    Changing this later, or a newer upload under the name, concerns new nodes only; `-replace` rebuilds one that is there.
  EOT

  validation {
    condition     = var.image != ""
    error_message = "image is empty: name an image that `openstack image list` shows, in inventory/<site>/terraform.tfvars."
  }
}

variable "image_upload" {
  type = object({
    url         = string
    sha256      = string
    disk_format = optional(string, "qcow2")
    properties  = optional(map(string), {})
  })
  default     = null
  description = <<-EOT
    Uploads the image instead of looking for it: `image` is then the name that it gets.
    - url (required): where `terraform/tf` fetches the file, once for each machine that it runs on.
    - sha256 (required): of that file; another file is refused before anything is uploaded.
    - disk_format: of that file, qcow2 or raw for instance.
    - properties: properties of the image in Glance, such as { hw_qemu_guest_agent = "yes" }.
    Changing this later uploads another image and deletes the first; nodes that run keep theirs.
  EOT

  validation {
    condition     = var.image_upload == null ? true : can(regex("^https?://[^/]+/.", var.image_upload.url))
    error_message = "image_upload.url is \"${try(var.image_upload.url, "")}\": an address that begins with https:// or http:// is needed. Correct it in inventory/<site>/terraform.tfvars."
  }

  validation {
    condition     = var.image_upload == null ? true : can(regex("^[0-9a-f]{64}$", var.image_upload.sha256))
    error_message = "image_upload.sha256 is \"${try(var.image_upload.sha256, "")}\": 64 digits of 0-9 and a-f are needed, as sha256sum prints them. Correct it in inventory/<site>/terraform.tfvars."
  }

  validation {
    condition     = var.image_upload == null ? true : contains(["qcow2", "raw", "vmdk", "vdi", "vhd", "iso"], var.image_upload.disk_format)
    error_message = "image_upload.disk_format is \"${try(var.image_upload.disk_format, "")}\": Glance knows qcow2, raw, vmdk, vdi, vhd and iso. Correct it in inventory/<site>/terraform.tfvars."
  }
}

variable "image_file" {
  type        = string
  default     = ""
  description = <<-EOT
    Where the file of image_upload lies on this machine; `terraform/tf` fetches it and gives its name.
    Changing this later does nothing.
  EOT
}

variable "existing" {
  type = object({
    network = optional(string)
    subnet  = optional(string)
    router  = optional(string)
    keypair = optional(string)
    security_groups = optional(object({
      node         = string
      controlplane = string
    }))
  })
  default     = {}
  nullable    = false
  description = <<-EOT
    Names of what the project has already and the facility shall use; whatever is not named is made, and only that is
    ever changed or deleted.
    - network: a network for the nodes.
    - subnet: a subnet in it, of which network_cidr is the range; it leads to external_network by a router of its own.
    - router: a router that leads to external_network, for the subnet that is made.
    - keypair: Nova's key pair, which has to hold the key of ssh_public_key_file.
    - security_groups: the groups of all nodes (node) and of the control plane (controlplane); their rules are then
      yours, and admin_cidrs and user_cidrs make none. docs/terraform.md has the ports.
    Changing this later replaces what depends on it: with another network or subnet every server. Another keypair
    concerns new nodes only; other security_groups are taken in place.
  EOT

  validation {
    condition     = alltrue([for name in concat([var.existing.network, var.existing.subnet, var.existing.router, var.existing.keypair], values(coalesce(var.existing.security_groups, { node = "-", controlplane = "-" }))) : name != ""])
    error_message = "existing has an empty name: leave out what shall be made, in inventory/<site>/terraform.tfvars."
  }

  validation {
    condition     = var.existing.subnet == null || var.existing.network != null
    error_message = "existing.subnet is \"${coalesce(var.existing.subnet, "-")}\", and existing.network does not say of which network. Name both in inventory/<site>/terraform.tfvars."
  }

  validation {
    condition     = var.existing.subnet == null || var.existing.router == null
    error_message = "existing has the subnet \"${coalesce(var.existing.subnet, "-")}\" and the router \"${coalesce(var.existing.router, "-")}\": a subnet that is there has its way out, and a router is only used for one that is made. Leave one of them out, in inventory/<site>/terraform.tfvars."
  }
}

variable "ssh_public_key_file" {
  type        = string
  default     = "~/.ssh/id_ed25519.pub"
  description = <<-EOT
    File with the public ssh key that new nodes let in. `terraform/tf` makes a key for the site and gives its name.
    Changing this later concerns new nodes only.
  EOT

  validation {
    condition     = can(regex("^(ssh-|ecdsa-|sk-)", file(pathexpand(var.ssh_public_key_file))))
    error_message = "ssh_public_key_file is \"${var.ssh_public_key_file}\", and there is no public ssh key in it (or no such file). Make one with ssh-keygen, or let `terraform/tf <site>` do it."
  }
}

variable "nodes" {
  type = map(object({
    groups            = set(string)
    flavor            = string
    image             = optional(string)
    availability_zone = optional(string)
    data_volume_gib   = optional(number, 20)
    volumes           = optional(map(number), {})
    boot_volume_gib   = optional(number, 0)
    floating_ip       = optional(bool)
  }))
  description = <<-EOT
    The nodes by name; a server is called <facility>-<name>.
    - groups (required): controlplane, etcd, worker; a node may be in several.
      Changing this later is in place in the cloud; the cluster follows with site.yml.
    - flavor (required): name of the flavor. Changing this later resizes the server, which restarts it.
    - image: another image than the facility's. Changing this later concerns a node that is built anew.
    - availability_zone: Nova's zone. Changing this later rebuilds the node; its volumes stay.
    - data_volume_gib: size of the volume for containers and scratch, 0 for none. Changing this later grows it in
      place; a volume cannot shrink.
    - volumes: further volumes, GiB by name: { scratch = 500 }. They are attached and left as they are. Changing this
      later makes, grows or deletes those volumes, in place; a volume cannot shrink.
    - boot_volume_gib: boots from a volume of that size, which lives as long as the server; 0 boots from the disk that
      the flavor brings. Changing this later concerns a node that is built anew.
    - floating_ip: whether a control plane has an address outside, which it has where nothing is said. Changing this later
      adds or releases that address; the kubeconfig follows with site.yml.
    Adding or removing a name touches only that node.
  EOT

  validation {
    condition     = length(var.nodes) > 0
    error_message = "nodes is empty: order at least one node of the groups controlplane, etcd and worker, in inventory/<site>/terraform.tfvars."
  }

  validation {
    condition     = alltrue([for name in keys(var.nodes) : can(regex("^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$", name))])
    error_message = "nodes has names that are no host names: ${join(", ", [for name in keys(var.nodes) : name if !can(regex("^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$", name))])}. Take lower-case letters, digits and hyphens, at most 30, in inventory/<site>/terraform.tfvars."
  }

  validation {
    condition     = length(setsubtract(flatten([for node in values(var.nodes) : node.groups]), ["controlplane", "etcd", "worker"])) == 0
    error_message = "nodes has unknown groups: ${join(", ", [for name, node in var.nodes : "${name} in ${join(" and ", setsubtract(node.groups, ["controlplane", "etcd", "worker"]))}" if length(setsubtract(node.groups, ["controlplane", "etcd", "worker"])) > 0])}. There are controlplane, etcd and worker; correct it in inventory/<site>/terraform.tfvars."
  }

  validation {
    condition     = alltrue([for node in values(var.nodes) : length(node.groups) > 0])
    error_message = "nodes has nodes without a group: ${join(", ", [for name, node in var.nodes : name if length(node.groups) == 0])}. Give each at least one of controlplane, etcd and worker, in inventory/<site>/terraform.tfvars."
  }

  validation {
    condition     = length(var.nodes) == 0 || anytrue([for node in values(var.nodes) : contains(node.groups, "controlplane")])
    error_message = "nodes has no node in group controlplane: ${join(", ", [for name, node in var.nodes : "${name} is in ${join(" and ", node.groups)}"])}. Put one there, in inventory/<site>/terraform.tfvars."
  }

  validation {
    # None at all is for the next two to tell.
    condition     = contains([0, 1], length([for node in values(var.nodes) : node if contains(node.groups, "etcd")])) || length([for node in values(var.nodes) : node if contains(node.groups, "etcd")]) % 2 == 1
    error_message = "nodes has ${length([for node in values(var.nodes) : node if contains(node.groups, "etcd")])} members of group etcd (${join(", ", [for name, node in var.nodes : name if contains(node.groups, "etcd")])}): an odd number is needed, an even one loses as many nodes less. Take 1, 3 or 5, in inventory/<site>/terraform.tfvars."
  }

  validation {
    condition     = alltrue([for node in values(var.nodes) : contains(node.groups, "controlplane") == contains(node.groups, "etcd") if length(node.groups) > 0])
    error_message = "nodes has etcd and controlplane apart: ${join(", ", [for name, node in var.nodes : "${name} is in ${join(" and ", node.groups)}" if contains(node.groups, "controlplane") != contains(node.groups, "etcd")])}. kubeadm runs etcd on every control plane and nowhere else: give both groups or none, in inventory/<site>/terraform.tfvars."
  }

  validation {
    condition     = alltrue([for node in values(var.nodes) : node.floating_ip == null || contains(node.groups, "controlplane")])
    error_message = "nodes has floating_ip for ${join(", ", [for name, node in var.nodes : name if node.floating_ip != null && !contains(node.groups, "controlplane")])}, not in group controlplane: only control planes are reached from outside, others through them. Take it out in inventory/<site>/terraform.tfvars."
  }

  validation {
    # No control plane at all is told above.
    condition     = !anytrue([for node in values(var.nodes) : contains(node.groups, "controlplane")]) || anytrue([for node in values(var.nodes) : contains(node.groups, "controlplane") && coalesce(node.floating_ip, true)])
    error_message = "nodes has no control plane with a floating IP: ${join(", ", [for name, node in var.nodes : name if node.floating_ip == false])} have none, and nothing would lead to the nodes. Leave floating_ip out for one of them, in inventory/<site>/terraform.tfvars."
  }

  validation {
    condition     = length(var.nodes) == 0 || anytrue([for node in values(var.nodes) : contains(node.groups, "worker")])
    error_message = "nodes has no node in group worker: no work could run. Put one there, in inventory/<site>/terraform.tfvars."
  }

  validation {
    condition     = alltrue([for node in values(var.nodes) : node.data_volume_gib >= 0 && floor(node.data_volume_gib) == node.data_volume_gib])
    error_message = "nodes has impossible sizes of data volumes: ${join(", ", [for name, node in var.nodes : "${name} has ${node.data_volume_gib} GiB" if node.data_volume_gib < 0 || floor(node.data_volume_gib) != node.data_volume_gib])}. Whole GiB, 0 for none, in inventory/<site>/terraform.tfvars."
  }

  validation {
    condition     = alltrue(flatten([for node in values(var.nodes) : [for volume in keys(node.volumes) : can(regex("^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$", volume)) && volume != "data"]]))
    error_message = "nodes has further volumes with impossible names: ${join(", ", flatten([for name, node in var.nodes : [for volume in keys(node.volumes) : "${name}/${volume}" if !can(regex("^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$", volume)) || volume == "data"]]))}. Take lower-case letters, digits and hyphens, at most 30, and not \"data\", whose size is data_volume_gib, in inventory/<site>/terraform.tfvars."
  }

  validation {
    condition     = alltrue(flatten([for node in values(var.nodes) : [for size in values(node.volumes) : size >= 1 && floor(size) == size]]))
    error_message = "nodes has impossible sizes of further volumes: ${join(", ", flatten([for name, node in var.nodes : [for volume, size in node.volumes : "${name}/${volume} has ${size} GiB" if size < 1 || floor(size) != size]]))}. Whole GiB, at least 1, in inventory/<site>/terraform.tfvars."
  }

  validation {
    condition     = alltrue([for node in values(var.nodes) : node.boot_volume_gib >= 0 && floor(node.boot_volume_gib) == node.boot_volume_gib])
    error_message = "nodes has impossible sizes of boot volumes: ${join(", ", [for name, node in var.nodes : "${name} has ${node.boot_volume_gib} GiB" if node.boot_volume_gib < 0 || floor(node.boot_volume_gib) != node.boot_volume_gib])}. Whole GiB, 0 to boot from the flavor's disk, in inventory/<site>/terraform.tfvars."
  }
}
