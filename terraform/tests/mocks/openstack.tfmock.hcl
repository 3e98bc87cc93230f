# A cloud without limits. A flavor's size stays unknown here: the provider's schema lets nothing but a real cloud give it.

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
