# Conditions that need more than one variable, or the cloud.

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

run "network_within_the_pods" {
  command = plan

  variables {
    network_cidr = "10.244.7.0/24"
  }

  expect_failures = [output.facility]
}

run "network_around_the_services" {
  command = plan

  variables {
    network_cidr = "10.96.0.0/16"
  }

  expect_failures = [output.facility]
}

run "pods_within_the_services" {
  command = plan

  variables {
    pod_cidr = "10.100.0.0/16"
  }

  expect_failures = [output.facility]
}

run "network_is_dockers" {
  command = plan

  variables {
    network_cidr = "172.17.8.0/24"
  }

  expect_failures = [output.facility]
}

run "pods_are_dockers" {
  command = plan

  variables {
    pod_cidr = "172.16.0.0/12"
  }

  expect_failures = [output.facility]
}

run "network_is_reserved" {
  command = plan

  variables {
    reserved_cidrs = { campus = "10.20.0.128/25" }
  }

  expect_failures = [output.facility]
}

run "ssh_for_the_world" {
  command = plan

  variables {
    admin_cidrs = ["192.0.2.0/24", "0.0.0.0/0"]
  }

  expect_failures = [openstack_networking_secgroup_v2.node]
}

run "neighbours_do_not_overlap" {
  command = plan

  variables {
    network_cidr   = "10.20.0.0/25"
    reserved_cidrs = { campus = "10.20.0.128/25", more = "10.20.1.0/24" }
  }
}

run "reserved_ranges_may_overlap" {
  command = plan

  variables {
    reserved_cidrs = { campus = "10.30.0.0/16", institute = "10.30.1.0/24" }
  }
}

run "ssh_for_the_world_when_wanted" {
  command = plan

  variables {
    admin_cidrs     = ["0.0.0.0/0"]
    allow_world_ssh = true
  }
}

run "network_outside_that_is_inside" {
  command = plan

  override_module {
    target = module.cloud
    outputs = {
      flavors = {
        medium = { id = "2", vcpus = 2, ram_mib = 4096 }
        large  = { id = "3", vcpus = 8, ram_mib = 16384 }
      }
      external_network = { id = "private", external = false }
    }
  }

  expect_failures = [output.api_addresses]
}

run "flavor_with_too_few_cores" {
  command = plan

  variables {
    nodes = {
      cp0 = { groups = ["controlplane", "etcd"], flavor = "narrow" }
      w0  = { groups = ["worker"], flavor = "large" }
    }
  }

  override_module {
    target = module.cloud
    outputs = {
      flavors = {
        narrow = { id = "5", vcpus = 1, ram_mib = 16384 }
        large  = { id = "3", vcpus = 8, ram_mib = 16384 }
      }
      external_network = { id = "public", external = true }
    }
  }

  expect_failures = [openstack_compute_instance_v2.node]
}

# Each alone would fit.
run "flavor_with_too_little_memory_for_all_its_groups" {
  command = plan

  variables {
    nodes = {
      cp0 = { groups = ["controlplane", "etcd", "worker"], flavor = "low" }
    }
  }

  override_module {
    target = module.cloud
    outputs = {
      flavors          = { low = { id = "6", vcpus = 4, ram_mib = 2999 } }
      external_network = { id = "public", external = true }
    }
  }

  expect_failures = [openstack_compute_instance_v2.node]
}

run "flavor_just_large_enough" {
  command = plan

  variables {
    nodes = {
      cp0 = { groups = ["controlplane", "etcd", "worker"], flavor = "low" }
    }
  }

  override_module {
    target = module.cloud
    outputs = {
      flavors          = { low = { id = "6", vcpus = 2, ram_mib = 3000 } }
      external_network = { id = "public", external = true }
    }
  }
}

run "flavor_whose_size_is_not_told" {
  command = plan

  variables {
    nodes = {
      cp0 = { groups = ["controlplane", "etcd"], flavor = "secret" }
      w0  = { groups = ["worker"], flavor = "large" }
    }
  }
}

run "too_few_cores" {
  command = plan

  override_data {
    target = data.openstack_compute_quotaset_v2.own
    values = { cores = 17 }
  }

  expect_failures = [output.quota]
}

run "too_little_memory" {
  command = plan

  override_data {
    target = data.openstack_compute_quotaset_v2.own
    values = { ram = 36863 }
  }

  expect_failures = [output.quota]
}

run "quota_that_is_just_enough" {
  command = plan

  override_data {
    target = data.openstack_compute_quotaset_v2.own
    values = { instances = 3, cores = 18, ram = 36864, server_group_members = 3 }
  }

  override_data {
    target = data.openstack_blockstorage_quotaset_v3.own
    values = { volumes = 2, gigabytes = 120, per_volume_gigabytes = 100 }
  }

  override_data {
    target = data.openstack_networking_quota_v2.own
    values = { port = 5, floatingip = 1, network = 1, router = 1, security_group = 2, security_group_rule = 19 }
  }
}

# Boot volumes and further volumes take of Cinder's quota too.
run "too_few_volumes_for_all_kinds" {
  command = plan

  variables {
    nodes = {
      cp0 = { groups = ["controlplane", "etcd"], flavor = "medium", boot_volume_gib = 20 }
      w0  = { groups = ["worker"], flavor = "large", volumes = { scratch = 50, cache = 30 } }
    }
  }

  override_data {
    target = data.openstack_blockstorage_quotaset_v3.own
    values = { volumes = 4 }
  }

  expect_failures = [output.quota]
}

run "too_few_gigabytes_for_all_kinds" {
  command = plan

  variables {
    nodes = {
      cp0 = { groups = ["controlplane", "etcd"], flavor = "medium", boot_volume_gib = 20 }
      w0  = { groups = ["worker"], flavor = "large", volumes = { scratch = 50, cache = 30 } }
    }
  }

  override_data {
    target = data.openstack_blockstorage_quotaset_v3.own
    values = { gigabytes = 139 }
  }

  expect_failures = [output.quota]
}

run "too_few_instances" {
  command = plan

  override_data {
    target = data.openstack_compute_quotaset_v2.own
    values = { instances = 2 }
  }

  expect_failures = [output.quota]
}

run "too_few_members_of_a_server_group" {
  command = plan

  override_data {
    target = data.openstack_compute_quotaset_v2.own
    values = { server_group_members = 2 }
  }

  expect_failures = [output.quota]
}

run "too_few_volumes" {
  command = plan

  override_data {
    target = data.openstack_blockstorage_quotaset_v3.own
    values = { volumes = 1 }
  }

  expect_failures = [output.quota]
}

run "too_few_gigabytes" {
  command = plan

  override_data {
    target = data.openstack_blockstorage_quotaset_v3.own
    values = { gigabytes = 119 }
  }

  expect_failures = [output.quota]
}

run "too_small_a_largest_volume" {
  command = plan

  override_data {
    target = data.openstack_blockstorage_quotaset_v3.own
    values = { per_volume_gigabytes = 99 }
  }

  expect_failures = [output.quota]
}

run "too_few_ports" {
  command = plan

  override_data {
    target = data.openstack_networking_quota_v2.own
    values = { port = 4 }
  }

  expect_failures = [output.quota]
}

run "too_few_floating_ips" {
  command = plan

  override_data {
    target = data.openstack_networking_quota_v2.own
    values = { floatingip = 0 }
  }

  expect_failures = [output.quota]
}

run "too_few_networks" {
  command = plan

  override_data {
    target = data.openstack_networking_quota_v2.own
    values = { network = 0 }
  }

  expect_failures = [output.quota]
}

run "too_few_routers" {
  command = plan

  override_data {
    target = data.openstack_networking_quota_v2.own
    values = { router = 0 }
  }

  expect_failures = [output.quota]
}

run "too_few_security_groups" {
  command = plan

  override_data {
    target = data.openstack_networking_quota_v2.own
    values = { security_group = 1 }
  }

  expect_failures = [output.quota]
}

run "too_few_security_group_rules" {
  command = plan

  override_data {
    target = data.openstack_networking_quota_v2.own
    values = { security_group_rule = 18 }
  }

  expect_failures = [output.quota]
}
