# What is made of a sound order.

# The same in every file here: OpenTofu shares none between files.
mock_provider "openstack" {
  # A project without limits.
  mock_data "openstack_compute_quotaset_v2" {
    defaults = {
      instances            = -1
      cores                = -1
      ram                  = -1
      server_group_members = -1
    }
  }

  mock_data "openstack_blockstorage_quotaset_v3" {
    defaults = {
      volumes              = -1
      gigabytes            = -1
      per_volume_gigabytes = -1
    }
  }

  mock_data "openstack_networking_quota_v2" {
    defaults = {
      port                = -1
      floatingip          = -1
      network             = -1
      router              = -1
      security_group      = -1
      security_group_rule = -1
    }
  }

  # OpenTofu 1.8 warns of this one, and leaves the list empty.
  mock_resource "openstack_networking_port_v2" {
    defaults = {
      all_fixed_ips = ["10.20.0.10"]
    }
  }

  mock_resource "openstack_networking_floatingip_v2" {
    defaults = {
      address = "203.0.113.10"
    }
  }
}

override_module {
  target = module.cloud

  outputs = {
    flavors = {
      tiny   = { id = "1", vcpus = 1, ram_mib = 1024 }
      medium = { id = "2", vcpus = 2, ram_mib = 4096 }
      large  = { id = "3", vcpus = 8, ram_mib = 16384 }
      secret = { id = "4", vcpus = null, ram_mib = null }
    }
    external_network = { id = "public", external = true }
  }
}

variables {
  facility            = "test"
  cloud               = "none"
  external_network    = "public"
  network_cidr        = "10.20.0.0/24"
  admin_cidrs         = ["192.0.2.0/24"]
  user_cidrs          = ["198.51.100.0/24", "203.0.113.0/24"]
  image               = "rocky-9"
  ssh_public_key_file = "tests/admin.pub"
  nodes = {
    cp0 = { groups = ["controlplane", "etcd"], flavor = "medium" }
    w0  = { groups = ["worker"], flavor = "large", data_volume_gib = 100 }
    w1  = { groups = ["worker"], flavor = "large", image = "rocky-8", data_volume_gib = 0 }
  }
}

run "resources" {
  command = plan

  assert {
    condition     = toset(keys(openstack_compute_instance_v2.node)) == toset(["cp0", "w0", "w1"])
    error_message = "One server for each node."
  }
  assert {
    condition     = openstack_compute_instance_v2.node["cp0"].name == "test-cp0"
    error_message = "A server is called <facility>-<node>."
  }
  assert {
    condition     = openstack_compute_instance_v2.node["cp0"].metadata == tomap({ facility = "test", groups = "controlplane,etcd" })
    error_message = "Ansible reads facility and groups from the metadata."
  }
  assert {
    condition     = { for name, volume in openstack_blockstorage_volume_v3.data : volume.name => volume.size } == { test-cp0-data = 20, test-w0-data = 100 }
    error_message = "20 GiB by default, the size that was ordered, none for 0."
  }
  assert {
    condition     = keys(openstack_networking_floatingip_v2.controlplane) == ["cp0"]
    error_message = "Only the control plane has floating IPs."
  }
  assert {
    condition     = sum([for server in values(openstack_compute_instance_v2.node) : length(server.block_device)]) == 0
    error_message = "Servers boot from the flavor's disk."
  }
  assert {
    condition     = { for name, server in openstack_compute_instance_v2.node : name => server.flavor_id } == { cp0 = "2", w0 = "3", w1 = "3" }
    error_message = "Each with its flavor."
  }
  assert {
    condition     = length(openstack_networking_network_v2.nodes) == 1 && length(openstack_networking_router_interface_v2.nodes) == 1 && length(openstack_compute_keypair_v2.admin) == 1
    error_message = "Network, way out and key pair are made."
  }
  assert {
    condition     = toset(keys(data.openstack_images_image_v2.node)) == toset(["rocky-8", "rocky-9"])
    error_message = "A node may have an image of its own."
  }
}

run "security_groups" {
  command = plan

  assert {
    condition     = [for rule in values(openstack_networking_secgroup_rule_v2.ssh) : "${rule.remote_ip_prefix} ${rule.port_range_min}"] == ["192.0.2.0/24 22"]
    error_message = "ssh is for administrators."
  }
  assert {
    condition = toset([for rule in values(openstack_networking_secgroup_rule_v2.public) : "${rule.remote_ip_prefix} ${rule.port_range_min}-${rule.port_range_max}"]) == toset([
      "192.0.2.0/24 6443-6443", "198.51.100.0/24 443-443", "203.0.113.0/24 443-443",
    ])
    error_message = "The API is for administrators, https for users, nothing else from outside."
  }
  assert {
    condition     = openstack_networking_secgroup_rule_v2.between_nodes["flannel-vxlan"].protocol == "udp" && openstack_networking_secgroup_rule_v2.between_nodes["flannel-vxlan"].port_range_min == 8472
    error_message = "Pods of two nodes talk over UDP 8472."
  }
}

run "outputs" {
  command = apply

  assert {
    condition     = alltrue([for rule in values(openstack_networking_secgroup_rule_v2.between_nodes) : rule.remote_group_id == openstack_networking_secgroup_v2.node[0].id])
    error_message = "What nodes say to each other is for nodes alone."
  }

  assert {
    condition     = output.facility == "test"
    error_message = "Whose state it is."
  }
  assert {
    condition     = output.nodes["test-cp0"].fixed_ip == one(openstack_networking_port_v2.node["cp0"].all_fixed_ips) && output.nodes["test-cp0"].floating_ip == "203.0.113.10" && output.nodes["test-cp0"].groups == tolist(["controlplane", "etcd"])
    error_message = "Nodes with their addresses and groups."
  }
  assert {
    condition     = output.nodes["test-w0"].floating_ip == null && output.nodes["test-w0"].flavor == "large"
    error_message = "Workers have no address outside."
  }
  assert {
    condition     = alltrue([for node in values(output.nodes) : !can(node.volumes)])
    error_message = "Further volumes are told only where there are some."
  }
  assert {
    condition     = output.api_addresses == { test-cp0 = "https://203.0.113.10:6443" }
    error_message = "Where the API is."
  }
  assert {
    condition     = output.quota["instances"].asked == 3 && output.quota["cores"].asked == 18 && output.quota["RAM in MiB"].asked == 36864 && output.quota["volumes' size in GiB"].asked == 120 && output.quota["floating IPs"].asked == 1
    error_message = "What the facility takes of the quota."
  }
}

# The same order and one node more.
run "a_node_more_touches_no_other" {
  command = plan

  variables {
    nodes = {
      cp0 = { groups = ["controlplane", "etcd"], flavor = "medium" }
      w0  = { groups = ["worker"], flavor = "large", data_volume_gib = 100 }
      w1  = { groups = ["worker"], flavor = "large", image = "rocky-8", data_volume_gib = 0 }
      w2  = { groups = ["worker"], flavor = "large" }
    }
  }

  # The id of what is to be made is not known yet, and a condition on it fails.
  assert {
    condition     = alltrue([for name in ["cp0", "w0", "w1"] : openstack_compute_instance_v2.node[name].id != "" && openstack_networking_port_v2.node[name].id != ""])
    error_message = "The servers and ports that were there are the same ones."
  }
  assert {
    condition     = alltrue([for name in ["cp0", "w0"] : openstack_blockstorage_volume_v3.data[name].id != ""])
    error_message = "So are their volumes."
  }
}

# Other nodes than before: the disk that a server boots from is looked at only when it is made.
run "volumes" {
  command = apply

  variables {
    nodes = {
      cp1 = { groups = ["controlplane", "etcd"], flavor = "medium", boot_volume_gib = 30 }
      w2  = { groups = ["worker"], flavor = "large", data_volume_gib = 100, volumes = { scratch = 500, cache = 50 } }
      w3  = { groups = ["worker"], flavor = "large", data_volume_gib = 0, volumes = { scratch = 200 } }
    }
  }

  assert {
    condition = { for name, volume in openstack_blockstorage_volume_v3.further : name => "${volume.name} ${volume.size}" } == {
      "w2/cache" = "test-w2-cache 50", "w2/scratch" = "test-w2-scratch 500", "w3/scratch" = "test-w3-scratch 200"
    }
    error_message = "Further volumes by the node's name and their own."
  }
  assert {
    condition = alltrue([
      for name, attached in openstack_compute_volume_attach_v2.further :
      attached.instance_id == openstack_compute_instance_v2.node[split("/", name)[0]].id && attached.volume_id == openstack_blockstorage_volume_v3.further[name].id
    ])
    error_message = "Each is attached to its node."
  }
  assert {
    condition = { for name, server in openstack_compute_instance_v2.node : name => server.metadata["data_volume"] } == {
      cp1 = openstack_blockstorage_volume_v3.data["cp1"].id, w2 = openstack_blockstorage_volume_v3.data["w2"].id, w3 = ""
    }
    error_message = "A node with more than one volume is told which is for data."
  }
  assert {
    condition     = output.nodes["test-w2"].volumes == { cache = openstack_blockstorage_volume_v3.further["w2/cache"].id, scratch = openstack_blockstorage_volume_v3.further["w2/scratch"].id }
    error_message = "The output names the further volumes."
  }
  assert {
    condition     = [for device in openstack_compute_instance_v2.node["cp1"].block_device : "${device.source_type} ${device.destination_type} ${device.volume_size} ${device.boot_index} ${device.delete_on_termination}"] == ["image volume 30 0 true"]
    error_message = "A server with a boot volume boots from it, and takes it along when it goes."
  }
  assert {
    condition     = output.quota["volumes"].asked == 6 && output.quota["volumes' size in GiB"].asked == 900 && output.quota["largest volume in GiB"].asked == 500
    error_message = "All of them take of the quota."
  }
}
