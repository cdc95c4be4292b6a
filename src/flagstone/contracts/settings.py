"""The settings that both sides of the door share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, SecretStr


class GatewaySettings(BaseModel):
    """Section ``[platform]``: the door between the rooms."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gateway: str = ""
    """Which gateway the portal uses: ``local``, ``http``, ``none`` or one that a plugin brings. Empty: the best
    there is.
    """
    url: str = ""
    """Address of the platform, for a portal that runs alone."""
    secret: SecretStr = SecretStr("")
    """Shared by portal and platform in a split deployment: signs the claim that says who acts. At least 32
    characters.
    """
