# The first facility at INFN Napoli: two identical VMs, one of them the control plane as well.
facility = "napoli-2vm"
cloud    = "napoli"

external_network = "public"
network_cidr     = "10.81.0.0/24"

# Where you come from: documentation's range stands here, which lets nobody in.
admin_cidrs = ["192.0.2.0/24"]
user_cidrs  = ["192.0.2.0/24"]

image = "rocky-8"

# They began as two quad-core VMs with 8 GiB:
#
#   cp0 = { groups = ["controlplane", "etcd", "worker"], flavor = "c4.r8", data_volume_gib = 100 }
#   w0  = { groups = ["worker"], flavor = "c4.r8", data_volume_gib = 100 }
#
# and grew to 12 cores and 64 GiB by the lines below: `terraform/tf napoli-2vm apply` resizes the servers in place, and
# each restarts once, with its address and its data.
nodes = {
  cp0 = { groups = ["controlplane", "etcd", "worker"], flavor = "c12.r64", data_volume_gib = 100 }
  w0  = { groups = ["worker"], flavor = "c12.r64", data_volume_gib = 100 }
}
