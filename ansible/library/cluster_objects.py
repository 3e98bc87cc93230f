#!/usr/bin/python
"""Objects of a Kubernetes cluster: what can be asked for. The work is done by the action plug-in of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_objects
short_description: Applies or reads objects of a Kubernetes cluster, all of them in one step
description:
  - Asks the API itself, without a client library whose start takes longer than the work.
  - Objects are applied by the server, as C(kubectl apply --server-side --force-conflicts) does; namespaces and
    definitions of resources come first. In check mode the server tries and keeps nothing.
options:
  kubeconfig:
    description: Credentials, with certificates inside.
    type: path
    required: true
  apply:
    description: Objects that have to be there.
    type: list
    elements: dict
    default: []
  apply_files:
    description: Files with more such objects, on the machine where this runs; large ones are read faster here.
    type: list
    elements: path
    default: []
  read:
    description: Lists that are returned; each with api_version, kind, and where wanted namespace, name, label_selector.
    type: list
    elements: dict
    default: []
  field_manager:
    description: In whose name fields are set.
    type: str
    default: facility
  timeout:
    description: Seconds to wait for a kind of object that the cluster does not know yet.
    type: int
    default: 30
author:
  - facility-testbed
"""

EXAMPLES = r"""
- name: The namespace is there
  cluster_objects:
    kubeconfig: .facility/lab/kubeconfig
    apply:
      - {apiVersion: v1, kind: Namespace, metadata: {name: bench}}
"""

RETURN = r"""
changed_objects:
  description: Objects that were not as they had to be.
  type: list
  returned: success
resources:
  description: What was read, one list for all.
  type: list
  returned: success
"""
