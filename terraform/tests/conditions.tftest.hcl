# Conditions that need more than one variable, or the cloud.

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

run "network_within_the_pods" {
  command = plan

  variables {
    network_cidr = "10.244.7.0/24"
  }

  expect_failures = [openstack_networking_network_v2.nodes]
}

run "network_around_the_services" {
  command = plan

  variables {
    network_cidr = "10.96.0.0/16"
  }

  expect_failures = [openstack_networking_network_v2.nodes]
}

run "pods_within_the_services" {
  command = plan

  variables {
    pod_cidr = "10.100.0.0/16"
  }

  expect_failures = [openstack_networking_network_v2.nodes]
}

run "network_is_dockers" {
  command = plan

  variables {
    network_cidr = "172.17.8.0/24"
  }

  expect_failures = [openstack_networking_network_v2.nodes]
}

run "pods_are_dockers" {
  command = plan

  variables {
    pod_cidr = "172.16.0.0/12"
  }

  expect_failures = [openstack_networking_network_v2.nodes]
}

run "network_is_reserved" {
  command = plan

  variables {
    reserved_cidrs = { campus = "10.20.0.128/25" }
  }

  expect_failures = [openstack_networking_network_v2.nodes]
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
    values = { security_group_rule = 17 }
  }

  expect_failures = [output.quota]
}
