# What is made of a sound order.

mock_provider "openstack" {
  source = "./tests/mocks"
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
    condition     = alltrue([for rule in values(openstack_networking_secgroup_rule_v2.between_nodes) : rule.remote_group_id == openstack_networking_secgroup_v2.node.id])
    error_message = "What nodes say to each other is for nodes alone."
  }

  assert {
    condition     = output.facility == "test"
    error_message = "Whose state it is."
  }
  assert {
    condition     = output.nodes["test-cp0"].fixed_ip == "10.20.0.10" && output.nodes["test-cp0"].floating_ip == "203.0.113.10" && output.nodes["test-cp0"].groups == tolist(["controlplane", "etcd"])
    error_message = "Nodes with their addresses and groups."
  }
  assert {
    condition     = output.nodes["test-w0"].floating_ip == null && output.nodes["test-w0"].flavor == "large"
    error_message = "Workers have no address outside."
  }
  assert {
    condition     = output.api_addresses == { test-cp0 = "https://203.0.113.10:6443" }
    error_message = "Where the API is."
  }
  assert {
    condition     = output.quota["instances"].asked == 3 && output.quota["volumes' size in GiB"].asked == 120 && output.quota["floating IPs"].asked == 1
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

  assert {
    condition     = openstack_compute_instance_v2.node["w0"].id == run.outputs.nodes["test-w0"].server_id
    error_message = "The server that was there is the same one."
  }
}
