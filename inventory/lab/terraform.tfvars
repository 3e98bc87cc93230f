# The lab: two guests on this machine, as the first facility's two VMs were, scaled down. `lab up` brings the cloud.
facility = "lab"
cloud    = "lab"

external_network = "public"
network_cidr     = "10.77.0.0/24"
# Nobody answers there, and says so at once: guests know only what the mirror has.
dns_nameservers = ["10.77.0.1"]
pod_cidr        = "10.244.0.0/16"
service_cidr    = "10.96.0.0/12"
reserved_cidrs  = { external = "172.31.250.0/24" }

# This machine, as guests see it.
admin_cidrs = ["172.31.250.0/24"]
user_cidrs  = ["172.31.250.0/24"]

# Shaped like Rocky Linux 8, not Rocky: see docs/limits.md.
image = "rocky-8"

nodes = {
  cp0 = { groups = ["controlplane", "etcd", "worker"], flavor = "c2.r4" }
  w0  = { groups = ["worker"], flavor = "c2.r6" }
}
