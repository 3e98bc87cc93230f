terraform {
  # 1.7 brought mock_provider, which the tests use; OpenTofu has it since 1.8.
  required_version = ">= 1.7"

  required_providers {
    openstack = {
      source = "terraform-provider-openstack/openstack"
      # Only resources that 1.54 and 3 both have are used here: 1.54.1 can be built from source where no registry is
      # within reach, 3 is what a registry gives.
      version = ">= 1.54.1, < 4"
    }
  }
}

provider "openstack" {
  cloud = var.cloud
}
