"""Linear layers by their role in a transformer block, and the methods that target some.

The methods are Hugging Face peft's, in its file format.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from workbench.options import Names
from workbench.peft import Adapter, Backbone, Method

if TYPE_CHECKING:
    import peft

ROLES = ("q", "k", "v", "qkv", "proj", "fc1", "fc2")


def check_roles(targets: tuple[str, ...]) -> tuple[str, ...]:
    """Return targets that are known, each once, and do not contradict each other.

    Raises:
        ValueError: They are not; the message is the options' own.
    """
    wrong = [target for target in targets if target not in ROLES]
    if wrong or not targets:
        found = repr(wrong[0]) if wrong else "()"
        raise ValueError(f"targets={found} is not one of {', '.join(ROLES)}")
    if "qkv" in targets and {"q", "k", "v"} & set(targets):
        raise ValueError("targets='qkv' is q, k and v in one layer; name it or them, not both")
    if len(set(targets)) < len(targets):
        raise ValueError(f"targets={targets!r} names a role twice")
    return targets


# What the targets of a method may be.
Roles = Annotated[Names, AfterValidator(check_roles)]


class Tuner(Method):
    """Options of a method that Hugging Face peft injects into the linear layers of some roles."""

    if TYPE_CHECKING:
        # A field of each method, which has its own default and place among the others.
        targets: Roles

    @property
    def placement(self) -> str:
        """The roles of the layers it is in."""
        return f"in {', '.join(self.targets)}"

    def misfit(self, backbone: Backbone) -> str | None:
        """Say which of the targeted roles a backbone lacks."""
        return missing_roles(backbone, self.targets)

    @abstractmethod
    def config(self, backbone: Backbone) -> peft.PeftConfig:
        """Return what peft is to inject, and into which layers."""

    def apply(self, backbone: Backbone) -> Adapter:
        """Inject the adapter; until the first step the output is exactly the same."""
        # Hugging Face peft takes seconds to import: only who trains or loads an adapter waits.
        from workbench.peft._injection import Injected

        self.require_fit(backbone)
        return Injected(backbone, self.config(backbone), split=needs_split(backbone, self.targets))


def role_paths(role: str, roles: dict[str, list[str]]) -> list[str]:
    """Return the paths of the layers in a role, as they are once query, key, value are split."""
    if role in ("q", "k", "v") and role not in roles:
        return [f"{path}.{role}_linear" for path in roles.get("qkv", [])]
    return roles.get(role, [])


def target_paths(backbone: Backbone, targets: Sequence[str]) -> list[str]:
    """Return the paths of all targeted layers."""
    roles = backbone.linear_roles()
    return [path for role in targets for path in role_paths(role, roles)]


def needs_split(backbone: Backbone, targets: Sequence[str]) -> bool:
    """Return whether a part of a fused query-key-value layer is targeted alone."""
    roles = backbone.linear_roles()
    return any(role in ("q", "k", "v") and role not in roles for role in targets)


def missing_roles(backbone: Backbone, targets: Sequence[str]) -> str | None:
    """Return which of the targeted roles a backbone lacks, as the reason of a misfit."""
    roles = backbone.linear_roles()
    missing = [role for role in targets if not role_paths(role, roles)]
    if not missing:
        return None
    known = ", ".join(roles) if roles else "none: it is no transformer"
    return f"it has no linear layers in the role {', '.join(missing)} (roles: {known})."
