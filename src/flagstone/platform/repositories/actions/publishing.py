"""``publish:git`` and ``flagstone:repository:delete``."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from flagstone.contracts.actions import ActionExample
from flagstone.kernel.errors import Invalid
from flagstone.platform.repositories.model import HOST, Repository, parse_repo_url
from flagstone.platform.repositories.permissions import CREATE, DELETE
from flagstone.platform.repositories.service import RepositoryService
from flagstone.sdk import Action, ActionContext, Files, Inputs, Outputs, PlanContext
from flagstone.toolkit.git import Author

_MAX_FILES = 20_000
_MAX_BYTES = 200_000_000


class PublishGit(Action):
    """Create a repository in the built-in git hosting with the files of the workspace as its first commit."""

    id = "publish:git"
    title = "Create a git repository"
    permission = CREATE
    idempotency = "probe"
    examples = (
        ActionExample(
            title="Publish what was rendered",
            yaml="""\
- id: publish
  name: Publish
  action: publish:git
  input:
    repoUrl: ${{ parameters.repoUrl }}
    description: The shop
""",
        ),
    )

    class Input(Inputs):
        """As Backstage's publish actions."""

        repo_url: str = Field(alias="repoUrl", description=f"{HOST}?owner=<project>&repo=<name>")
        description: str = Field("", max_length=1000, description="One sentence about it.")
        default_branch: str = Field("main", alias="defaultBranch", description="The branch that is made.")
        commit_message: str = Field(
            "Initial commit", alias="gitCommitMessage", min_length=1, description="Message of the first commit."
        )
        author_name: str = Field("", alias="gitAuthorName", description="Default: who started the run.")
        author_email: str = Field("", alias="gitAuthorEmail", description="Address of the author of commits.")
        source_path: str = Field(
            "", alias="sourcePath", description="Folder of the workspace to publish; default: all."
        )

    class Output(Outputs):
        """Where the repository is."""

        remote_url: str = Field(alias="remoteUrl", description="The address to clone it from.")
        contents_url: str = Field(alias="repoContentsUrl", description="Location of its files, for catalog:register.")
        repository: str = Field(description="project/name.")
        commit_hash: str = Field("", alias="commitHash", description="Empty while it is only planned.")

    def __init__(self, service: RepositoryService, author_email: str) -> None:
        self._service = service
        self._author_email = author_email

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The repository and how many files it starts with."""
        name = repository_name(inputs.repo_url, self.id)
        self._service.check_free(name, ctx.actor)
        files = read_files(ctx.workspace, inputs.source_path)
        count = f"{len(files)} file{'' if len(files) == 1 else 's'}"
        facts = {"Branch": inputs.default_branch, "Clone URL": self._service.clone_url(name)}
        if ctx.owner:
            facts["Owner"] = ctx.owner
        ctx.change("repository", "create", name, f"{count} in the first commit", **facts)
        return self._outputs(name, None)

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Create it, whole or not at all."""
        name = repository_name(inputs.repo_url, self.id)
        files = read_files(ctx.workspace, inputs.source_path)
        author = Author(inputs.author_name or ctx.actor.name, inputs.author_email or self._author_email)
        made = self._service.create(
            name,
            ctx.actor,
            files=files,
            message=inputs.commit_message,
            author=author,
            description=inputs.description,
            owner=ctx.owner,
            default_branch=inputs.default_branch,
            step_key=ctx.step_key,
        )
        ctx.log(f"Created {name} with {len(files)} files in commit {(made.created_commit or '')[:12]}.")
        return self._outputs(name, made)

    def probe(self, ctx: ActionContext, inputs: Any) -> Outputs | None:
        """Whether this very step made it before it was interrupted."""
        made = self._service.made_by(ctx.step_key)
        return self._outputs(made.name, made) if made else None

    def undo(self, ctx: ActionContext, inputs: Any, outputs: Any) -> None:
        """Delete the repository, unless someone has pushed to it."""
        made = self._service.made_by(ctx.step_key)
        if made is not None and made.head == made.created_commit:
            self._service.delete(made.name, ctx.actor)

    def _outputs(self, name: str, made: Repository | None) -> Outputs:
        return self.Output(
            remote_url=self._service.clone_url(name),
            contents_url=f"hosted:{name}/",
            repository=name,
            commit_hash=(made.created_commit or "") if made else "",
        )


class DeleteRepository(Action):
    """Delete a repository of the built-in git hosting with all its commits."""

    id = "flagstone:repository:delete"
    title = "Delete a git repository"
    permission = DELETE
    idempotency = "natural"
    without_undo = "What is deleted cannot be brought back."
    examples = (
        ActionExample(
            title="Delete the repository of a service that is no more",
            yaml="- id: delete\n  action: flagstone:repository:delete\n  input:\n    repository: acme/shop\n",
        ),
    )

    class Input(Inputs):
        """Which one."""

        repository: str = Field(description="project/name")

    class Output(Outputs):
        """Whether there was one to delete."""

        deleted: bool = Field(description="Whether there was one.")

    def __init__(self, service: RepositoryService) -> None:
        self._service = service

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """What is lost."""
        lost = self._service.deletion(inputs.repository, ctx.actor)
        if not lost:
            ctx.change("repository", "none", inputs.repository, "is not there")
            return self.Output(deleted=False)
        ctx.change("repository", "delete", inputs.repository, "with all its commits; this cannot be undone", **lost)
        return self.Output(deleted=True)

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Delete it; one that is not there is fine."""
        deleted = self._service.delete(inputs.repository, ctx.actor)
        ctx.log(
            f"Deleted {inputs.repository} with all its commits." if deleted else f"{inputs.repository} is not there."
        )
        # An attempt that was interrupted has deleted it then.
        return self.Output(deleted=deleted or ctx.repeated)


def read_files(workspace: Files, folder: str) -> dict[str, tuple[bytes, bool]]:
    """The files below a folder of the workspace, by path relative to it; git's own folder is left out.

    Raises Invalid (``repositories.nothing_to_publish``, ``repositories.too_much_to_publish``).
    """
    folder = folder.removeprefix("./").strip("/")
    folder = "" if folder == "." else folder
    prefix = f"{folder}/" if folder else ""
    found: dict[str, tuple[bytes, bool]] = {}
    total = 0
    for entry in workspace.walk(folder):
        path = entry.path.removeprefix(prefix)
        if entry.is_dir or path.split("/")[0] == ".git":
            continue
        total += entry.size
        if total > _MAX_BYTES or len(found) >= _MAX_FILES:
            raise Invalid(
                "repositories.too_much_to_publish",
                f"The folder {folder or '.'!r} of the workspace holds too much for a first commit.",
                hint=f"At most {_MAX_FILES} files with {_MAX_BYTES // 1_000_000} MB together are taken.",
            )
        found[path] = (workspace.read_bytes(entry.path), entry.executable)
    if not found:
        raise Invalid(
            "repositories.nothing_to_publish",
            f"There are no files in the folder {folder or '.'!r} of the workspace.",
            hint="Add a step such as fetch:template before publish:git, or correct sourcePath.",
        )
    return found


def repository_name(repo_url: str, action: str) -> str:
    """``project/name`` of a ``repoUrl`` in the built-in hosting. Raises Invalid for other hosts."""
    url = parse_repo_url(repo_url)
    if url.host != HOST:
        raise Invalid(
            "repositories.other_host",
            f"{action} works with repositories in the built-in hosting, not on {url.host!r}.",
            hint=f"Use {HOST}?owner={url.project}&repo={url.repository}, or publish:github for GitHub.",
        )
    return url.name
