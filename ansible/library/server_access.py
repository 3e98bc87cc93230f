#!/usr/bin/python
"""First contact with servers: what can be asked for. The work is done by the action plug-in of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: server_access
short_description: Makes servers of an OpenStack cloud reachable by ssh with verified host keys
description:
  - Reads the ssh host keys that cloud-init prints on each server's console and writes them to C(known_hosts) with the
    server's id; a server that is known is not asked again. A key that changes while the server's id stays is an error.
  - Writes an C(ssh_config) in which servers without a floating IP are reached through one that has.
  - Waits until every server lets the user in.
options:
  directory:
    description: Folder of known_hosts, ssh_config and the ssh key id_ed25519.
    type: path
    required: true
  cloud:
    description: Name of the cloud in clouds.yaml.
    type: str
    required: true
  facility:
    description: Value of the servers' metadata C(facility); servers of it that are not in I(servers) are an error.
    type: str
    required: true
  user:
    description: Who logs in.
    type: str
    required: true
  identity_file:
    description: Private ssh key; by default id_ed25519 in I(directory).
    type: path
  servers:
    description: Each with name, id, fixed_ip, floating_ip (may be empty) and jump (name of a server, may be empty).
    type: list
    elements: dict
    required: true
  timeout:
    description: Seconds to wait for host keys, and again for the login.
    type: int
    default: 300
author:
  - facility-testbed
"""

EXAMPLES = r"""
- name: Nodes can be reached
  server_access:
    directory: .facility/lab
    cloud: lab
    facility: lab
    user: rocky
    servers:
      - {name: lab-cp0, id: 0a1b, fixed_ip: 10.77.0.10, floating_ip: 172.31.250.20, jump: ""}
      - {name: lab-w0, id: 2c3d, fixed_ip: 10.77.0.11, floating_ip: "", jump: lab-cp0}
"""

RETURN = r"""
ssh_config:
  description: Path of the configuration for ssh.
  type: str
  returned: success
learned:
  description: Names of the servers whose keys were read from the console.
  type: list
  returned: success
"""
