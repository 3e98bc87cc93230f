"""A double of OpenStack's APIs, in memory and on loopback: enough of them for Terraform's provider and openstacksdk to
order a facility, change it and take it away. It keeps what it is given, makes no machine, and refuses nothing but what
is not there. The lab has the real services; this shows what Terraform does where there is no lab.
"""

from .server import running
from .state import Cloud

__all__ = ["Cloud", "running"]
