#!/usr/bin/python
"""Services of a node that run now and at every start, all in one step."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: node_services
short_description: Services run now and at every start, or do not
description:
  - Units whose files have changed are read again before anything is started.
  - In check mode a service that is not installed yet is one that would be started.
options:
  services:
    description: Names of the services, in the order in which they are started.
    type: list
    elements: str
    required: true
  state:
    description: running and stopped hold now and at every start; enabled starts with the node and is left as it is now.
    type: str
    choices: [running, stopped, enabled]
    default: running
  restarted:
    description: Whether ones that run are restarted.
    type: bool
    default: false
author:
  - facility-testbed
"""

EXAMPLES = r"""
- name: Both run
  node_services:
    services: [containerd, docker]
"""

RETURN = r"""
changed_services:
  description: Services that were not as they had to be.
  type: list
  returned: success
"""
WANTED = ("LoadState", "ActiveState", "UnitFileState", "NeedDaemonReload")


def states(module: AnsibleModule, names: list[str]) -> list[dict[str, str]]:
    """What systemd says of each service, by property."""
    units = [name if "." in name else f"{name}.service" for name in names]
    command = ["systemctl", "show", *units, "--property", ",".join(WANTED)]
    _, text, _ = module.run_command(command, check_rc=True)
    blocks = [block for block in text.split("\n\n") if block.strip()]
    return [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in blocks]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "services": {"type": "list", "elements": "str", "required": True},
            "state": {"choices": ["running", "stopped", "enabled"], "default": "running"},
            "restarted": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    names, wanted = module.params["services"], module.params["state"]
    enabled = wanted != "stopped"
    found = dict(zip(names, states(module, names)))  # noqa: B905  (Python 3.9 on the node)
    stale = any(state["NeedDaemonReload"] == "yes" or state["LoadState"] == "not-found" for state in found.values())
    if stale and not module.check_mode:
        module.run_command(["systemctl", "daemon-reload"], check_rc=True)
        found = dict(zip(names, states(module, names)))  # noqa: B905
    changed = []
    for name, state in found.items():
        commands = []
        if state["LoadState"] != "loaded" and not module.check_mode:
            module.fail_json(msg=f"There is no service {name} (systemd calls it {state['LoadState']}).")
        if (state.get("UnitFileState") in ("enabled", "enabled-runtime")) != enabled:
            commands.append("enable" if enabled else "disable")
        active = state["ActiveState"] in ("active", "activating", "reloading")
        if wanted != "enabled" and active != enabled:
            commands.append("start" if enabled else "stop")
        elif active and module.params["restarted"]:
            commands.append("restart")
        if commands:
            changed.append(name)
        for command in [] if module.check_mode else commands:
            status, _, error = module.run_command(["systemctl", command, name])
            if status:
                _, log, _ = module.run_command(["journalctl", "-u", name, "-n", "15", "--no-pager", "-o", "cat"])
                module.fail_json(msg=f"systemctl {command} {name} failed: {error.strip()}\nIts log ends with:\n{log}")
    module.exit_json(changed=bool(changed), changed_services=changed)


if __name__ == "__main__":
    main()
