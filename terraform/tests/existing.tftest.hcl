# What a site brings is used as it is, and what it does not bring is made.

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

run "a_network" {
  command = plan

  variables {
    existing = { network = "campus" }
  }

  assert {
    condition     = length(openstack_networking_network_v2.nodes) == 0
    error_message = "No other network is made."
  }
  assert {
    condition     = openstack_networking_subnet_v2.nodes[0].network_id == data.openstack_networking_network_v2.nodes[0].id
    error_message = "The subnet is made in it."
  }
  assert {
    condition     = length(openstack_networking_router_v2.nodes) == 1 && length(openstack_networking_router_interface_v2.nodes) == 1
    error_message = "And a way out."
  }
  assert {
    condition     = output.quota["networks"].asked == 0 && output.quota["routers"].asked == 1
    error_message = "What is not made takes no quota."
  }
}

run "a_subnet" {
  command = plan

  variables {
    existing = { network = "campus", subnet = "campus-a" }
  }

  override_data {
    target = data.openstack_networking_subnet_v2.nodes
    values = { cidr = "10.20.0.0/24" }
  }

  assert {
    condition     = length(openstack_networking_subnet_v2.nodes) == 0 && length(openstack_networking_router_v2.nodes) == 0 && length(openstack_networking_router_interface_v2.nodes) == 0
    error_message = "It has its way out: neither subnet nor router is made."
  }
  assert {
    condition     = openstack_networking_port_v2.node["w0"].network_id == data.openstack_networking_network_v2.nodes[0].id && openstack_networking_port_v2.node["w0"].fixed_ip[0].subnet_id == data.openstack_networking_subnet_v2.nodes[0].id
    error_message = "The nodes' ports are in it."
  }
  assert {
    condition     = output.quota["ports"].asked == 3 && output.quota["routers"].asked == 0
    error_message = "A port for each node, and none for a router."
  }
}

run "a_subnet_of_another_range" {
  command = plan

  variables {
    existing = { network = "campus", subnet = "campus-a" }
  }

  override_data {
    target = data.openstack_networking_subnet_v2.nodes
    values = { cidr = "10.21.0.0/24" }
  }

  expect_failures = [data.openstack_networking_subnet_v2.nodes]
}

run "a_router" {
  command = plan

  variables {
    existing = { router = "gate" }
  }

  override_data {
    target = data.openstack_networking_router_v2.nodes
    values = { external_network_id = "public" }
  }

  assert {
    condition     = length(openstack_networking_router_v2.nodes) == 0 && openstack_networking_router_interface_v2.nodes[0].router_id == data.openstack_networking_router_v2.nodes[0].id
    error_message = "The subnet that is made gets its way out by it."
  }
}

run "a_router_to_elsewhere" {
  command = plan

  variables {
    existing = { router = "gate" }
  }

  override_data {
    target = data.openstack_networking_router_v2.nodes
    values = { external_network_id = "private" }
  }

  expect_failures = [data.openstack_networking_router_v2.nodes]
}

run "a_key_pair" {
  command = plan

  variables {
    existing = { keypair = "mine" }
  }

  override_data {
    target = data.openstack_compute_keypair_v2.admin
    values = { public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA another comment\n" }
  }

  assert {
    condition     = length(openstack_compute_keypair_v2.admin) == 0 && openstack_compute_instance_v2.node["w0"].key_pair == "mine"
    error_message = "Servers get that key pair."
  }
}

run "a_key_pair_of_somebody_else" {
  command = plan

  variables {
    existing = { keypair = "mine" }
  }

  override_data {
    target = data.openstack_compute_keypair_v2.admin
    values = { public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB" }
  }

  expect_failures = [data.openstack_compute_keypair_v2.admin]
}

run "security_groups" {
  command = plan

  variables {
    existing = { security_groups = { node = "inside", controlplane = "outside" } }
  }

  assert {
    condition     = length(openstack_networking_secgroup_v2.node) + length(openstack_networking_secgroup_v2.controlplane) == 0
    error_message = "No other groups are made."
  }
  assert {
    condition     = length(openstack_networking_secgroup_rule_v2.ssh) + length(openstack_networking_secgroup_rule_v2.between_nodes) + length(openstack_networking_secgroup_rule_v2.icmp_between_nodes) + length(openstack_networking_secgroup_rule_v2.public) == 0
    error_message = "Nor rules: they are the site's."
  }
  assert {
    condition     = openstack_networking_port_v2.node["w0"].security_group_ids == toset([data.openstack_networking_secgroup_v2.existing["node"].id])
    error_message = "Every node is in the one,"
  }
  assert {
    condition     = openstack_networking_port_v2.node["cp0"].security_group_ids == toset([data.openstack_networking_secgroup_v2.existing["node"].id, data.openstack_networking_secgroup_v2.existing["controlplane"].id])
    error_message = "the control plane in both."
  }
  assert {
    condition     = output.quota["security groups"].asked == 0 && output.quota["security group rules"].asked == 0
    error_message = "What is not made takes no quota."
  }
}

# Rules that are not made open nothing.
run "security_groups_and_the_world" {
  command = plan

  variables {
    existing    = { security_groups = { node = "inside", controlplane = "outside" } }
    admin_cidrs = ["0.0.0.0/0"]
  }
}

run "an_image_of_its_own" {
  command = plan

  variables {
    image        = "mine"
    image_file   = "tests/admin.pub"
    image_upload = { url = "https://images.example.org/rocky.qcow2", sha256 = "862e5bf338ff7546a753d44a1006d463ff640d5fcccc9314b4829753fe10614a", properties = { hw_qemu_guest_agent = "yes" } }
  }

  assert {
    condition     = { for sum, image in openstack_images_image_v2.upload : sum => "${image.name} ${image.disk_format} ${image.properties["hw_qemu_guest_agent"]}" } == { "862e5bf338ff7546a753d44a1006d463ff640d5fcccc9314b4829753fe10614a" = "mine qcow2 yes" }
    error_message = "It is uploaded under the name, with its properties."
  }
  assert {
    condition     = keys(data.openstack_images_image_v2.node) == ["rocky-8"]
    error_message = "Only the others are looked up."
  }
}

run "an_image_that_is_another" {
  command = plan

  variables {
    image_file   = "versions.tf"
    image_upload = { url = "https://images.example.org/rocky.qcow2", sha256 = "862e5bf338ff7546a753d44a1006d463ff640d5fcccc9314b4829753fe10614a" }
  }

  expect_failures = [openstack_images_image_v2.upload]
}

run "an_image_that_is_not_there" {
  command = plan

  variables {
    image_upload = { url = "https://images.example.org/rocky.qcow2", sha256 = "862e5bf338ff7546a753d44a1006d463ff640d5fcccc9314b4829753fe10614a" }
  }

  expect_failures = [openstack_images_image_v2.upload]
}
