facility         = "cinder"
cloud            = "csi"
external_network = "public"
network_cidr     = "10.86.0.0/24"
dns_nameservers  = ["10.86.0.1"]
reserved_cidrs   = { external = "172.31.246.0/24" }
admin_cidrs      = ["172.31.246.0/24"]
user_cidrs       = ["172.31.246.0/24"]
image            = "rocky-8"
nodes = {
  cp0 = { groups = ["controlplane", "etcd", "worker"], flavor = "c2.r4", data_volume_gib = 5 }
  w0  = { groups = ["worker"], flavor = "c1.r2", data_volume_gib = 0 }
}
