# A new site: copy this folder to inventory/<site>, and go through every value. docs/variables.md says what changing
# each of them does later. Secrets are not here: they are in clouds.yaml, from your cloud's dashboard, which is looked
# for in .facility/<site>/clouds.yaml first, then where OpenStack's clients look for it.

# Servers will be called example-cp0, example-w0 ... The same name stands in openstack.yml.
facility = "example"
# An entry of clouds.yaml; the same name stands in openstack.yml.
cloud = "mycloud"

# openstack network list --external
external_network = "public"
# A range of the facility's own; whatever the nodes have to reach must lie elsewhere: name that in reserved_cidrs.
network_cidr = "10.20.0.0/24"
# reserved_cidrs = { campus = "10.0.0.0/16" }
# Name servers that nodes can reach; without them the cloud's own.
# dns_nameservers = ["198.51.100.53"]

# Pods and services, invisible outside; the same in group_vars (kubernetes_pod_cidr, kubernetes_service_cidr).
# pod_cidr     = "10.244.0.0/16"
# service_cidr = "10.96.0.0/12"

# Who reaches ssh and the Kubernetes API. Your own address as others see it, and /32, will do.
admin_cidrs = ["192.0.2.17/32"]
# Who reaches https on the control plane; nobody when it is empty.
user_cidrs = ["192.0.2.0/24"]

# openstack image list; a Rocky Linux 9 cloud image with cloud-init.
image = "Rocky-9-GenericCloud"
# Where the cloud has none: it is fetched, compared with its sum, and uploaded under that name.
# image_upload = {
#   url    = "https://images.example.org/Rocky-9-GenericCloud.x86_64.qcow2"
#   sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
# }

# Without it, `terraform/tf` makes a key for the site, .facility/<site>/id_ed25519.
# ssh_public_key_file = "~/.ssh/id_ed25519.pub"

# What the project has already is used where it is named here, and made where it is not.
# existing = {
#   network         = "campus"   # openstack network list
#   subnet          = "campus-a" # of that network; network_cidr is its range
#   router          = "gate"     # instead of a subnet: for the one that is made
#   keypair         = "mine"     # openstack keypair list; of the key in ssh_public_key_file
#   security_groups = { node = "inside", controlplane = "outside" }
# }

# openstack flavor list. kubeadm wants 2 vCPUs and 1.7 GiB for a control plane; etcd goes with it, one or three of them. Three
# survive the loss of one, with endpoint_balancer in group_vars.
nodes = {
  cp0 = { groups = ["controlplane", "etcd"], flavor = "m1.medium" }
  w0  = { groups = ["worker"], flavor = "m1.large", data_volume_gib = 100 }
  # Further volumes by name, and a boot volume where the flavor brings no disk.
  # w1 = { groups = ["worker"], flavor = "m1.large", data_volume_gib = 100, volumes = { scratch = 500 }, boot_volume_gib = 30 }
  w1 = { groups = ["worker"], flavor = "m1.large", data_volume_gib = 100 }
}
