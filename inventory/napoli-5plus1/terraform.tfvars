# The larger facility at INFN Napoli: a control plane and five nodes that work, 32 cores and 64 GiB each.
facility = "napoli-5plus1"
cloud    = "napoli"

external_network = "public"
network_cidr     = "10.82.0.0/24"

# Where you come from: documentation's range stands here, which lets nobody in.
admin_cidrs = ["192.0.2.0/24"]
user_cidrs  = ["192.0.2.0/24"]

image = "rocky-8"

nodes = {
  cp0 = { groups = ["controlplane", "etcd"], flavor = "c32.r64", data_volume_gib = 100 }
  w0  = { groups = ["worker"], flavor = "c32.r64", data_volume_gib = 100 }
  w1  = { groups = ["worker"], flavor = "c32.r64", data_volume_gib = 100 }
  w2  = { groups = ["worker"], flavor = "c32.r64", data_volume_gib = 100 }
  w3  = { groups = ["worker"], flavor = "c32.r64", data_volume_gib = 100 }
  w4  = { groups = ["worker"], flavor = "c32.r64", data_volume_gib = 100 }
}
