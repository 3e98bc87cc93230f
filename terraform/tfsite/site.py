"""Where the files of a site are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .errors import Problem

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Site:
    """A folder in inventory/, and what belongs to it in .facility/."""

    name: str
    checkout: Path = CHECKOUT

    @property
    def inventory(self) -> Path:
        return self.checkout / "inventory" / self.name

    @property
    def tfvars(self) -> Path:
        return self.inventory / "terraform.tfvars"

    @property
    def module(self) -> Path:
        """The root module, the same for all sites."""
        return self.checkout / "terraform"

    @property
    def runtime(self) -> Path:
        return self.checkout / ".facility" / self.name

    @property
    def root(self) -> Path:
        """Where Terraform works: links to the module, with this site's lock file, providers and backend."""
        return self.runtime / "root"

    @property
    def state(self) -> Path:
        return self.runtime / "terraform.tfstate"

    @property
    def key(self) -> Path:
        return self.runtime / "id_ed25519"

    @property
    def clouds(self) -> Path:
        """Credentials that are the site's own, as the lab's are."""
        return self.runtime / "clouds.yaml"

    @property
    def cli_config(self) -> Path:
        """Terraform's CLI configuration that is the site's own: where its provider comes from."""
        return self.runtime / "terraformrc"

    def shown(self, path: Path) -> str:
        """`path` as it reads from the checkout."""
        return str(path.relative_to(self.checkout)) if path.is_relative_to(self.checkout) else str(path)


def find(name: str, checkout: Path = CHECKOUT) -> Site:
    """The site of that name; a Problem names the sites that there are."""
    site = Site(name, checkout)
    if not site.tfvars.is_file() or Path(name).name != name:
        sites = sorted(path.parent.name for path in (checkout / "inventory").glob("*/terraform.tfvars"))
        raise Problem(
            f"There is no site {name!r}: no file inventory/{name}/terraform.tfvars.",
            f"There are {', '.join(sites) or 'none'}; a new one begins as a copy of inventory/example.",
        )
    return site
