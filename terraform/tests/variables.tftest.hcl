# Every condition on a variable alone: one value that it refuses, or lets pass at its edge.

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

run "facility_with_capitals" {
  command = plan

  variables {
    facility = "Test"
  }

  expect_failures = [var.facility]
}

run "facility_too_long" {
  command = plan

  variables {
    facility = "a-name-that-is-longer-than-32-letters"
  }

  expect_failures = [var.facility]
}

run "facility_ends_with_a_hyphen" {
  command = plan

  variables {
    facility = "test-"
  }

  expect_failures = [var.facility]
}

run "cloud_without_a_name" {
  command = plan

  variables {
    cloud = ""
  }

  expect_failures = [var.cloud]
}

run "external_network_without_a_name" {
  command = plan

  variables {
    external_network = ""
  }

  expect_failures = [var.external_network]
}

run "image_without_a_name" {
  command = plan

  variables {
    image = ""
  }

  expect_failures = [var.image]
}

run "network_that_is_no_range" {
  command = plan

  variables {
    network_cidr = "10.20.0.0"
  }

  expect_failures = [var.network_cidr]
}

run "network_of_version_6" {
  command = plan

  variables {
    network_cidr = "2001:db8::/64"
  }

  expect_failures = [var.network_cidr]
}

run "network_too_small" {
  command = plan

  variables {
    network_cidr = "10.20.0.0/29"
  }

  expect_failures = [var.network_cidr]
}

run "network_too_large" {
  command = plan

  variables {
    network_cidr = "10.0.0.0/8"
  }

  expect_failures = [var.network_cidr]
}

run "pods_that_are_no_range" {
  command = plan

  variables {
    pod_cidr = "many"
  }

  expect_failures = [var.pod_cidr]
}

run "services_that_are_no_range" {
  command = plan

  variables {
    service_cidr = "10.96.0.0/33"
  }

  expect_failures = [var.service_cidr]
}

run "reserved_that_is_no_range" {
  command = plan

  variables {
    reserved_cidrs = { campus = "10.300.0.0/16" }
  }

  expect_failures = [var.reserved_cidrs]
}

run "name_server_by_name" {
  command = plan

  variables {
    dns_nameservers = ["dns.example.org"]
  }

  expect_failures = [var.dns_nameservers]
}

run "name_server_on_loopback" {
  command = plan

  variables {
    dns_nameservers = ["127.0.0.53"]
  }

  expect_failures = [var.dns_nameservers]
}

run "administrators_from_nowhere" {
  command = plan

  variables {
    admin_cidrs = []
  }

  expect_failures = [var.admin_cidrs]
}

run "administrators_from_a_name" {
  command = plan

  variables {
    admin_cidrs = ["home.example.org"]
  }

  expect_failures = [var.admin_cidrs]
}

run "users_from_a_name" {
  command = plan

  variables {
    user_cidrs = ["everybody"]
  }

  expect_failures = [var.user_cidrs]
}

run "key_that_is_not_there" {
  command = plan

  variables {
    ssh_public_key_file = "tests/nobody.pub"
  }

  expect_failures = [var.ssh_public_key_file]
}

run "key_that_is_none" {
  command = plan

  variables {
    ssh_public_key_file = "versions.tf"
  }

  expect_failures = [var.ssh_public_key_file]
}

run "no_nodes" {
  command = plan

  variables {
    nodes = {}
  }

  expect_failures = [var.nodes]
}

run "node_with_an_underscore" {
  command = plan

  variables {
    nodes = {
      cp_0 = { groups = ["controlplane", "etcd"], flavor = "medium" }
      w0   = { groups = ["worker"], flavor = "large" }
    }
  }

  expect_failures = [var.nodes]
}

run "node_with_capitals" {
  command = plan

  variables {
    nodes = {
      cp0 = { groups = ["controlplane", "etcd"], flavor = "medium" }
      W0  = { groups = ["worker"], flavor = "large" }
    }
  }

  expect_failures = [var.nodes]
}

run "group_that_nobody_knows" {
  command = plan

  variables {
    nodes = {
      cp0 = { groups = ["controlplane", "etcd"], flavor = "medium" }
      w0  = { groups = ["worker"], flavor = "large" }
      w1  = { groups = ["workers"], flavor = "large" }
    }
  }

  expect_failures = [var.nodes]
}

run "node_without_a_group" {
  command = plan

  variables {
    nodes = {
      cp0 = { groups = ["controlplane", "etcd"], flavor = "medium" }
      w0  = { groups = ["worker"], flavor = "large" }
      w1  = { groups = [], flavor = "large" }
    }
  }

  expect_failures = [var.nodes]
}

run "no_control_plane" {
  command = plan

  variables {
    nodes = {
      w0 = { groups = ["worker"], flavor = "large" }
    }
  }

  expect_failures = [var.nodes]
}

run "two_members_of_etcd" {
  command = plan

  variables {
    nodes = {
      cp0 = { groups = ["controlplane", "etcd"], flavor = "medium" }
      cp1 = { groups = ["controlplane", "etcd"], flavor = "medium" }
      w0  = { groups = ["worker"], flavor = "large" }
    }
  }

  expect_failures = [var.nodes]
}

run "etcd_beside_the_control_plane" {
  command = plan

  variables {
    nodes = {
      cp0 = { groups = ["controlplane", "etcd"], flavor = "medium" }
      cp1 = { groups = ["controlplane", "etcd"], flavor = "medium" }
      w0  = { groups = ["worker"], flavor = "large" }
      w1  = { groups = ["worker", "etcd"], flavor = "large" }
    }
  }

  expect_failures = [var.nodes]
}

run "control_plane_without_etcd" {
  command = plan

  variables {
    nodes = {
      cp0 = { groups = ["controlplane", "etcd"], flavor = "medium" }
      cp1 = { groups = ["controlplane"], flavor = "medium" }
      w0  = { groups = ["worker"], flavor = "large" }
    }
  }

  expect_failures = [var.nodes]
}

run "worker_with_a_floating_ip" {
  command = plan

  variables {
    nodes = {
      cp0 = { groups = ["controlplane", "etcd"], flavor = "medium" }
      w0  = { groups = ["worker"], flavor = "large", floating_ip = true }
    }
  }

  expect_failures = [var.nodes]
}

run "no_control_plane_with_a_floating_ip" {
  command = plan

  variables {
    nodes = {
      cp0 = { groups = ["controlplane", "etcd"], flavor = "medium", floating_ip = false }
      w0  = { groups = ["worker"], flavor = "large" }
    }
  }

  expect_failures = [var.nodes]
}

run "no_worker" {
  command = plan

  variables {
    nodes = {
      cp0 = { groups = ["controlplane", "etcd"], flavor = "medium" }
    }
  }

  expect_failures = [var.nodes]
}

run "volume_of_half_a_gib" {
  command = plan

  variables {
    nodes = {
      cp0 = { groups = ["controlplane", "etcd"], flavor = "medium" }
      w0  = { groups = ["worker"], flavor = "large", data_volume_gib = 0.5 }
    }
  }

  expect_failures = [var.nodes]
}

run "volume_of_less_than_nothing" {
  command = plan

  variables {
    nodes = {
      cp0 = { groups = ["controlplane", "etcd"], flavor = "medium" }
      w0  = { groups = ["worker"], flavor = "large", data_volume_gib = -1 }
    }
  }

  expect_failures = [var.nodes]
}

run "upload_from_a_path" {
  command = plan

  variables {
    image_upload = { url = "/images/rocky.qcow2", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
  }

  expect_failures = [var.image_upload]
}

run "upload_from_a_host_alone" {
  command = plan

  variables {
    image_upload = { url = "https://images.example.org", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
  }

  expect_failures = [var.image_upload]
}

run "upload_with_a_short_sum" {
  command = plan

  variables {
    image_upload = { url = "https://images.example.org/rocky.qcow2", sha256 = "d41d8cd98f00b204e9800998ecf8427e" }
  }

  expect_failures = [var.image_upload]
}

run "upload_of_a_tarball" {
  command = plan

  variables {
    image_upload = { url = "https://images.example.org/rocky.qcow2", sha256 = "0000000000000000000000000000000000000000000000000000000000000000", disk_format = "tar" }
  }

  expect_failures = [var.image_upload]
}

run "existing_without_a_name" {
  command = plan

  variables {
    existing = { network = "" }
  }

  expect_failures = [var.existing]
}

run "existing_group_without_a_name" {
  command = plan

  variables {
    existing = { security_groups = { node = "inside", controlplane = "" } }
  }

  expect_failures = [var.existing]
}

run "subnet_of_no_network" {
  command = plan

  variables {
    existing = { subnet = "campus-a" }
  }

  expect_failures = [var.existing]
}

run "subnet_and_router" {
  command = plan

  variables {
    existing = { network = "campus", subnet = "campus-a", router = "gate" }
  }

  expect_failures = [var.existing]
}

run "further_volume_named_data" {
  command = plan

  variables {
    nodes = {
      cp0 = { groups = ["controlplane", "etcd"], flavor = "medium" }
      w0  = { groups = ["worker"], flavor = "large", volumes = { data = 10 } }
    }
  }

  expect_failures = [var.nodes]
}

run "further_volume_with_an_underscore" {
  command = plan

  variables {
    nodes = {
      cp0 = { groups = ["controlplane", "etcd"], flavor = "medium" }
      w0  = { groups = ["worker"], flavor = "large", volumes = { my_scratch = 10 } }
    }
  }

  expect_failures = [var.nodes]
}

run "further_volume_of_nothing" {
  command = plan

  variables {
    nodes = {
      cp0 = { groups = ["controlplane", "etcd"], flavor = "medium" }
      w0  = { groups = ["worker"], flavor = "large", volumes = { scratch = 0 } }
    }
  }

  expect_failures = [var.nodes]
}

run "further_volume_of_half_a_gib" {
  command = plan

  variables {
    nodes = {
      cp0 = { groups = ["controlplane", "etcd"], flavor = "medium" }
      w0  = { groups = ["worker"], flavor = "large", volumes = { scratch = 1.5 } }
    }
  }

  expect_failures = [var.nodes]
}

run "boot_volume_of_half_a_gib" {
  command = plan

  variables {
    nodes = {
      cp0 = { groups = ["controlplane", "etcd"], flavor = "medium" }
      w0  = { groups = ["worker"], flavor = "large", boot_volume_gib = 10.5 }
    }
  }

  expect_failures = [var.nodes]
}

run "boot_volume_of_less_than_nothing" {
  command = plan

  variables {
    nodes = {
      cp0 = { groups = ["controlplane", "etcd"], flavor = "medium" }
      w0  = { groups = ["worker"], flavor = "large", boot_volume_gib = -1 }
    }
  }

  expect_failures = [var.nodes]
}

run "three_control_planes" {
  command = plan

  variables {
    nodes = {
      cp0 = { groups = ["controlplane", "etcd"], flavor = "medium" }
      cp1 = { groups = ["controlplane", "etcd"], flavor = "medium", floating_ip = true }
      cp2 = { groups = ["controlplane", "etcd"], flavor = "medium", floating_ip = false }
      w0  = { groups = ["worker"], flavor = "large" }
    }
  }

  assert {
    condition     = keys(openstack_networking_floatingip_v2.controlplane) == ["cp0", "cp1"]
    error_message = "Each control plane has a floating IP, but for those that say otherwise."
  }
}

run "one_node_is_all" {
  command = plan

  variables {
    nodes = {
      cp0 = { groups = ["controlplane", "etcd", "worker"], flavor = "large" }
    }
  }
}
