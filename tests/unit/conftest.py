"""What unit tests share."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
PROVIDER = "terraform-provider-openstack"


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the provider is found: in the lab's mirror, which gets it if it is not there yet."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "facility-testbed"
    mirror = cache / "mirror" / "files" / "terraform-providers"
    if not any(mirror.rglob(f"{PROVIDER}_v*")):
        command = [str(REPO / ".venv" / "bin" / "lab"), "artifacts", "--only", PROVIDER]
        made = subprocess.run(command, cwd=REPO, capture_output=True, text=True)
        assert made.returncode == 0, made.stdout + made.stderr
    config = tmp_path_factory.mktemp("terraform") / "terraformrc"
    config.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n')
    env = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "OS_"))}
    return {**env, "TF_CLI_CONFIG_FILE": str(config), "CHECKPOINT_DISABLE": "1"}
