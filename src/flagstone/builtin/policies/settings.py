"""Section ``[policies]``: when somebody has to agree before a run begins."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

from flagstone.contracts.approvals import ApprovalRule, approver


class ApprovalSetting(BaseModel):
    """Who has to agree. Without ``approvers`` the policy is off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    approvers: tuple[str, ...] = ()
    """Groups, users, `role:maintainer` (that role or a higher one) or `owner`. Empty: nobody has to agree."""
    count: int = Field(1, ge=1, le=20)
    """How many different people have to agree."""
    expires_hours: float = Field(72, gt=0, le=24 * 90)
    """The run fails when nobody decided for so long."""

    @field_validator("approvers")
    @classmethod
    def _in_full(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(approver(item) for item in value)

    def rule(self, reason: str) -> ApprovalRule:
        """As a rule of a plan."""
        return ApprovalRule(of=self.approvers, count=self.count, expires_hours=self.expires_hours, reason=reason)


class PoliciesSettings(BaseModel):
    """Section ``[policies]``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    production: ApprovalSetting = ApprovalSetting()
    """Who has to agree before anything is deployed to, started, stopped or removed in production."""
    production_environments: tuple[str, ...] = ("production", "prod", "live")
    """Names of environments that are production."""
    deletions: ApprovalSetting = ApprovalSetting()
    """Who has to agree before a run deletes a repository, a deployment or an entry of the catalog."""
