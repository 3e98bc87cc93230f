"""First contact with servers: their ssh host keys from the console, then a configuration for ssh, then a login.

An action and no module: the inventory has loaded OpenStack's client into Ansible's own process already.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

ARGUMENTS = {
    "directory": {"type": "path", "required": True},
    "cloud": {"type": "str", "required": True},
    "facility": {"type": "str", "required": True},
    "user": {"type": "str", "required": True},
    "identity_file": {"type": "path"},
    "servers": {"type": "list", "elements": "dict", "required": True},
    "timeout": {"type": "int", "default": 300},
}
BEGIN, END = "-----BEGIN SSH HOST KEY KEYS-----", "-----END SSH HOST KEY KEYS-----"
KEY = re.compile(
    r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521))\s+(AAAA[0-9A-Za-z+/]+={0,2})(?![0-9A-Za-z+/=])"
)
HEADER = "# Written by playbooks/access.yml: names, key, and the id of the server that has it.\n"
CHANGED = ("REMOTE HOST IDENTIFICATION HAS CHANGED", "Host key verification failed")


class AccessError(Exception):
    """A server that must not, or cannot, be talked to."""


@dataclass(frozen=True)
class Server:
    """A server with the addresses it has now."""

    name: str
    id: str
    fixed_ip: str
    floating_ip: str = ""
    jump: str = ""

    @property
    def names(self) -> list[str]:
        """What it is called in known_hosts."""
        return [name for name in (self.name, self.fixed_ip, self.floating_ip) if name]


# --- keys ---------------------------------------------------------------------------------------------------------
def console_keys(console: str) -> dict[str, str]:
    """Host keys by type, from the last whole block that cloud-init printed on a console; empty when there is none."""
    blocks = console.replace("\r", "").split(BEGIN)[1:]
    for block in reversed(blocks):
        body, end, _ = block.partition(END)
        if end and (keys := {kind: key for kind, key in KEY.findall(body) if is_key(kind, key)}):
            return keys
    return {}


def is_key(kind: str, key: str) -> bool:
    """Does the key say of itself that it is of that kind? A line that the console tore apart does not."""
    try:
        raw = base64.b64decode(key, validate=True)
    except binascii.Error:
        return False
    length = int.from_bytes(raw[:4], "big")
    return raw[4 : 4 + length] == kind.encode() and len(raw) > 4 + length


def known_keys(known_hosts: str) -> dict[str, dict[str, str]]:
    """Host keys by server id and type."""
    found: dict[str, dict[str, str]] = {}
    for line in known_hosts.splitlines():
        fields = line.split()
        if len(fields) == 4 and not line.startswith(("#", "@", "|")):
            _, kind, key, server = fields
            found.setdefault(server, {})[kind] = key
    return found


def unchanged(server: Server, known: dict[str, str], shown: dict[str, str], known_hosts: str) -> None:
    """Raise AccessError where a console shows other keys than the ones that are known of the same server."""
    other = sorted(kind for kind in known.keys() & shown.keys() if known[kind] != shown[kind])
    if other:
        raise AccessError(
            f"{server.name} ({server.id}) shows another host key ({', '.join(other)}) than the one in {known_hosts}. "
            f"If it was rebuilt on purpose, remove its lines there (ssh-keygen -R {server.name} -f {known_hosts}) and "
            "run this again; if not, somebody else may be answering in its place."
        )


def known_hosts_text(servers: Iterable[Server], keys: dict[str, dict[str, str]]) -> str:
    """The file: one line for each key of each server."""
    lines = [
        f"{','.join(server.names)} {kind} {key} {server.id}\n"
        for server in sorted(servers, key=lambda server: server.name)
        for kind, key in sorted(keys[server.id].items())
    ]
    return HEADER + "".join(lines)


# --- ssh ----------------------------------------------------------------------------------------------------------
def ssh_config_text(servers: Iterable[Server], user: str, identity_file: str, known_hosts: str) -> str:
    """Configuration for ssh, used by Ansible and by people alike."""
    blocks = []
    servers = sorted(servers, key=lambda server: server.name)
    jumps = {server.jump for server in servers}
    for server in servers:
        block = [f"Host {' '.join(server.names)}", f"  HostName {server.floating_ip or server.fixed_ip}"]
        if server.jump:
            block.append(f"  ProxyJump {server.jump}")
        if server.name in jumps:
            # All go through one connection: sshd refuses a crowd that knocks at once. Named after the server, so that
            # a new server at an old address is not taken for the old one.
            block += [
                "  ControlMaster auto",
                f"  ControlPath ~/.ansible/cp/{server.id[:8]}-%C",
                "  ControlPersist 60s",
            ]
        blocks.append("\n".join(block))
    common = [
        "Host *",
        f"  User {user}",
        f'  IdentityFile "{identity_file}"',
        "  IdentitiesOnly yes",
        f'  UserKnownHostsFile "{known_hosts}"',
        "  GlobalKnownHostsFile /dev/null",
        "  StrictHostKeyChecking yes",
        "  UpdateHostKeys no",
        "  ServerAliveInterval 15",
        "  ServerAliveCountMax 3",
    ]
    return "# Written by playbooks/access.yml.\n" + "\n\n".join([*blocks, "\n".join(common)]) + "\n"


def login(server: Server, ssh_config: str, deadline: float) -> None:
    """Wait until the server lets the user in; AccessError when it does not, or is another one than it was."""
    # Never over a connection that is still open: this is where the key is verified.
    command = [
        "ssh", "-F", ssh_config, "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-S", "none", server.name, "true",
    ]  # fmt: skip
    while True:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode == 0:
            return
        if any(sign in done.stderr for sign in CHANGED):
            raise AccessError(
                f"{server.name} ({server.id}), or the way to it, answers with another host key than its console "
                f"showed. ssh says: {last_line(done.stderr)} Look with `ssh -F {ssh_config} {server.name}` before "
                "trusting it."
            )
        if time.monotonic() > deadline:
            raise AccessError(
                f"{server.name} ({server.floating_ip or server.fixed_ip}"
                + (f" through {server.jump}" if server.jump else "")
                + f") lets nobody in: {last_line(done.stderr)} Is this machine in admin_cidrs of the site's "
                f"terraform.tfvars, and is the key the one that the server was built with? `ssh -v -F {ssh_config} "
                f"{server.name}` tells more."
            )
        time.sleep(1)


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "(nothing)"


# --- the whole ----------------------------------------------------------------------------------------------------
def learn(
    server: Server, console: Callable[[str], str], known: dict[str, str], known_hosts: str, deadline: float
) -> dict[str, str]:
    """The server's host keys: the known ones if its console does not contradict them, else those on the console."""
    while True:
        shown = console_keys(console(server.id))
        if known:
            unchanged(server, known, shown, known_hosts)
            return known
        if shown:
            return shown
        if time.monotonic() > deadline:
            raise AccessError(
                f"The console of {server.name} ({server.id}) shows no ssh host keys. `openstack console log show "
                f"{server.name}` shows what it does print: is it still booting, or is cloud-init not in its image? "
                f"Keys that you trust may be written by hand into {known_hosts}, as a line of its own each: "
                f"{','.join(server.names)} TYPE KEY {server.id}"
            )
        time.sleep(2)


def all_of(work: Callable[[Server], object], servers: Sequence[Server]) -> list[object]:
    """`work` on all servers at once; AccessError with everything that went wrong."""
    with ThreadPoolExecutor(max(1, min(16, len(servers)))) as pool:
        futures = [pool.submit(work, server) for server in servers]
    wrong = [str(error) for future in futures if isinstance(error := future.exception(), AccessError)]
    if wrong:
        raise AccessError("\n".join(wrong))
    return [future.result() for future in futures]


def write(path: Path, text: str) -> bool:
    """Put `text` there in one step, for the owner only; False when it is there already."""
    if path.is_file() and path.read_text() == text:
        return False
    fresh = path.with_name(path.name + ".new")
    fresh.touch(mode=0o600)
    fresh.chmod(0o600)
    fresh.write_text(text)
    fresh.replace(path)
    return True


def complete(found: Iterable[object], servers: Iterable[Server], facility: str) -> None:
    """Raise AccessError where the cloud has a server that the inventory lacks, or one that is not running."""
    listed = {server.id for server in servers}
    wrong = [
        f"{server.name} ({server.id}) is {server.status}"  # type: ignore[attr-defined]
        + (f": {server.fault.get('message')}" if getattr(server, "fault", None) else "")
        for server in found
        if server.id not in listed or server.status != "ACTIVE"  # type: ignore[attr-defined]
    ]
    if wrong:
        raise AccessError(
            f"Not all servers of facility {facility} can be used: {'; '.join(wrong)}. Start them, or build them anew "
            "(`terraform/tf SITE apply -replace='openstack_compute_instance_v2.node[\"NODE\"]'`)."
        )


def access(parameters: dict[str, Any]) -> dict[str, object]:
    import openstack

    directory = Path(parameters["directory"]).resolve()
    servers = [
        Server(**{name: each.get(name) or "" for name in Server.__dataclass_fields__}) for each in parameters["servers"]
    ]
    known_hosts, ssh_config = directory / "known_hosts", directory / "ssh_config"
    identity = Path(parameters["identity_file"] or directory / "id_ed25519").expanduser()
    if not identity.is_file():
        raise AccessError(
            f"There is no ssh key {identity}: `terraform/tf SITE apply` makes it, and servers know it from then."
        )
    clouds = directory / "clouds.yaml"
    if clouds.is_file():
        os.environ["OS_CLIENT_CONFIG_FILE"] = str(clouds)
    cloud = openstack.connect(cloud=parameters["cloud"])
    facility = parameters["facility"]
    complete(cloud.compute.servers(details=True, metadata={"facility": facility}), servers, facility)

    known = known_keys(known_hosts.read_text()) if known_hosts.is_file() else {}
    deadline = time.monotonic() + parameters["timeout"]

    def console(server_id: str) -> str:
        return cloud.compute.get_server_console_output(server_id).get("output") or ""

    def keys_of(server: Server) -> dict[str, str]:
        return learn(server, console, known.get(server.id, {}), str(known_hosts), deadline)

    keys = dict(zip([server.id for server in servers], all_of(keys_of, servers), strict=True))
    changed = write(known_hosts, known_hosts_text(servers, keys))  # type: ignore[arg-type]
    config = ssh_config_text(servers, parameters["user"], str(identity), str(known_hosts))
    changed |= write(ssh_config, config)
    Path("~/.ansible/cp").expanduser().mkdir(mode=0o700, parents=True, exist_ok=True)

    deadline = time.monotonic() + parameters["timeout"]
    # The ones that others go through first: their connection is then there to be shared.
    jumps = {server.jump for server in servers}
    for group in ([s for s in servers if s.name in jumps], [s for s in servers if s.name not in jumps]):
        all_of(lambda server: login(server, str(ssh_config), deadline), group)
    learned = sorted(server.name for server in servers if server.id not in known)
    return {"changed": changed, "ssh_config": str(ssh_config), "learned": learned}


class ActionModule(ActionBase):
    """Make servers reachable."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(argument_spec=ARGUMENTS)
        try:
            return result | access(arguments)
        except AccessError as error:
            failure = str(error)
        except Exception as error:  # openstacksdk and keystoneauth have no error class in common
            failure = f"Cloud {arguments['cloud']} cannot be asked: {type(error).__name__}: {error}"
        return result | {"failed": True, "msg": failure}
