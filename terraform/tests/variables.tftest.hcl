# Every condition on a variable alone: one value that it refuses, or lets pass at its edge.

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
      w0  = { groups = ["workers"], flavor = "large" }
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

run "three_control_planes" {
  command = plan

  variables {
    nodes = {
      cp0 = { groups = ["controlplane", "etcd"], flavor = "medium" }
      cp1 = { groups = ["controlplane", "etcd"], flavor = "medium" }
      cp2 = { groups = ["controlplane", "etcd"], flavor = "medium" }
      w0  = { groups = ["worker"], flavor = "large" }
    }
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
