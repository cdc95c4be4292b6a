"""Inputs that several actions share, under Backstage's names."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from flagstone.sdk import Inputs

Access = Literal["pull", "push", "admin", "maintain", "triage"]


class Collaborator(Inputs):
    """A user or a team, and what it may do."""

    access: str = Field(description="pull, triage, push, maintain, admin, or the name of a role.")
    user: str = Field("", description="Login of a user.")
    team: str = Field("", description="Slug of a team.")
    username: str = Field("", description="The old word for user.")

    @model_validator(mode="after")
    def _one(self) -> Collaborator:
        if bool(self.user or self.username) == bool(self.team):
            raise ValueError("give either a user or a team")
        return self


class RepositoryFields(Inputs):
    """How a new repository is."""

    description: str = Field("", max_length=350, description="One sentence about it.")
    homepage: str = Field("", description="Address of its web site.")
    access: str = Field("", description="Who becomes its administrator: a user, or organisation/team.")
    visibility: Literal["private", "public", "internal"] = Field(
        "private", alias="repoVisibility", description="Who may see it; internal is for enterprises."
    )
    topics: list[str] = Field([], max_length=20, description="Words by which it is found.")
    collaborators: list[Collaborator] = Field([], description="Users and teams, and what they may do.")
    allow_merge_commit: bool = Field(
        True, alias="allowMergeCommit", description="Pull requests may be merged by a merge commit."
    )
    allow_squash_merge: bool = Field(True, alias="allowSquashMerge", description="Pull requests may be squashed.")
    allow_rebase_merge: bool = Field(True, alias="allowRebaseMerge", description="Pull requests may be rebased.")
    allow_auto_merge: bool = Field(
        False, alias="allowAutoMerge", description="Pull requests may be merged as soon as they can be."
    )
    allow_update_branch: bool = Field(
        False, alias="allowUpdateBranch", description="Branches of pull requests may always be updated."
    )
    delete_branch_on_merge: bool = Field(
        False, alias="deleteBranchOnMerge", description="Branches are deleted when they are merged."
    )
    squash_title: Literal["PR_TITLE", "COMMIT_OR_PR_TITLE"] = Field(
        "COMMIT_OR_PR_TITLE", alias="squashMergeCommitTitle", description="Title of a squashed commit."
    )
    squash_message: Literal["PR_BODY", "COMMIT_MESSAGES", "BLANK"] = Field(
        "COMMIT_MESSAGES", alias="squashMergeCommitMessage", description="Message of a squashed commit."
    )
    has_projects: bool | None = Field(
        None, alias="hasProjects", description="Whether it has projects; default: as the organisation says."
    )
    has_wiki: bool = Field(True, alias="hasWiki", description="Whether it has a wiki.")
    has_issues: bool = Field(True, alias="hasIssues", description="Whether it has issues.")
    variables: dict[str, str] = Field({}, alias="repoVariables", description="Variables for GitHub Actions.")
    secrets: dict[str, str] = Field({}, description="Secrets for GitHub Actions, sealed before they are sent.")
    oidc: dict[str, Any] | None = Field(
        None, alias="oidcCustomization", description="useDefault and includeClaimKeys for tokens of workflows."
    )
    properties: dict[str, str | list[str]] = Field(
        {}, alias="customProperties", description="Values of custom properties of the organisation."
    )
    subscribe: bool = Field(False, description="Whether the account of the credential watches it.")

    def settings(self) -> dict[str, Any]:
        """What the API takes when a repository is made or changed, without name, description and visibility."""
        body: dict[str, Any] = {
            "allow_merge_commit": self.allow_merge_commit,
            "allow_squash_merge": self.allow_squash_merge,
            "allow_rebase_merge": self.allow_rebase_merge,
            "allow_auto_merge": self.allow_auto_merge,
            "delete_branch_on_merge": self.delete_branch_on_merge,
            "has_wiki": self.has_wiki,
            "has_issues": self.has_issues,
            "homepage": self.homepage,
        }
        if self.has_projects is not None:
            body["has_projects"] = self.has_projects
        if self.allow_squash_merge:
            body |= {"squash_merge_commit_title": self.squash_title, "squash_merge_commit_message": self.squash_message}
        return body


class Bypass(Inputs):
    """Who need not open pull requests."""

    apps: list[str] = Field([])
    users: list[str] = Field([])
    teams: list[str] = Field([])


class ProtectionFields(Inputs):
    """How a branch is protected."""

    enforce_admins: bool = Field(
        True, alias="protectEnforceAdmins", description="The rules hold for administrators, too."
    )
    review_count: int = Field(
        1, alias="requiredApprovingReviewCount", ge=0, le=6, description="How many must approve a pull request."
    )
    code_owners: bool = Field(False, alias="requireCodeOwnerReviews", description="Code owners must approve.")
    dismiss_stale: bool = Field(False, alias="dismissStaleReviews", description="New commits void approvals.")
    status_checks: list[str] = Field([], alias="requiredStatusCheckContexts", description="Checks that must pass.")
    up_to_date: bool = Field(
        True,
        alias="requireBranchesToBeUpToDate",
        description="Branches must hold the newest commits when checks are required.",
    )
    conversations: bool = Field(
        False, alias="requiredConversationResolution", description="Every conversation must be resolved."
    )
    last_push: bool = Field(
        False, alias="requireLastPushApproval", description="Somebody else than who pushed last must approve."
    )
    signing: bool = Field(False, alias="requiredCommitSigning", description="Commits must be signed.")
    linear: bool = Field(False, alias="requiredLinearHistory", description="Merge commits are refused.")
    bypass: Bypass | None = Field(
        None, alias="bypassPullRequestAllowances", description="Apps, users and teams that need not open pull requests."
    )
    restrictions: Bypass | None = Field(None, description="Apps, users and teams that may push; nobody else may.")

    def protection(self, *, block_creations: bool = False) -> dict[str, Any]:
        """The body of the API."""
        reviews: dict[str, Any] = {
            "required_approving_review_count": self.review_count,
            "require_code_owner_reviews": self.code_owners,
            "dismiss_stale_reviews": self.dismiss_stale,
            "require_last_push_approval": self.last_push,
        }
        if self.bypass is not None:
            reviews["bypass_pull_request_allowances"] = self.bypass.model_dump()
        return {
            "required_status_checks": {"strict": self.up_to_date, "contexts": self.status_checks}
            if self.status_checks
            else None,
            "enforce_admins": self.enforce_admins,
            "required_pull_request_reviews": reviews,
            "restrictions": self.restrictions.model_dump() if self.restrictions else None,
            "required_conversation_resolution": self.conversations,
            "required_linear_history": self.linear,
            "block_creations": block_creations,
        }


class CommitFields(Inputs):
    """The first commit."""

    default_branch: str = Field("master", alias="defaultBranch", min_length=1, description="The branch that is made.")
    commit_message: str = Field(
        "initial commit", alias="gitCommitMessage", min_length=1, description="Message of the first commit."
    )
    author_name: str = Field("", alias="gitAuthorName", description="Default: github.author_name of the settings.")
    author_email: str = Field("", alias="gitAuthorEmail", description="Address of the author of commits.")
    source_path: str = Field("", alias="sourcePath", description="Folder of the workspace to publish; default: all.")
    protect: bool = Field(True, alias="protectDefaultBranch", description="Protect the branch after the push.")
