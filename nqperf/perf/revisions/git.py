"""A project's repository: which commit a name means, what stands there, and its files in a folder of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nqperf.errors import ConfigError
from nqperf.formats.files import scratch_folder
from nqperf.perf.machine.git_command import git


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit.

    `sha` is its whole name, `subject` the first line of its message, `date` when it was committed (ISO 8601).
    """

    sha: str
    subject: str
    date: str

    @property
    def short(self) -> str:
        """The first letters of its name, as people write it."""
        return self.sha[:10]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """The git repository whose working tree has its top at `root`."""

    root: Path

    @classmethod
    def around(cls, folder: Path) -> Repository:
        """Return the repository that `folder` lies in.

        Raises: ConfigError without git, without a repository, or with one that belongs to somebody else.
        """
        try:
            return cls(root=Path(git(folder, "rev-parse", "--show-toplevel").strip()))
        except ConfigError as error:
            if "not a git repository" not in str(error):
                raise
            raise ConfigError(
                f"{folder} lies in no git repository, and a revision is one of a repository: start in the project's "
                "folder, or name a folder with the base's files (--base-path)"
            ) from None

    def commit(self, revision: str) -> Commit:
        """Return the commit that `revision` names: a branch, a tag, part of a commit's name, `main~3`, `@{u}`.

        Raises: ConfigError for a name that git does not know, with what to fetch where the clone is shallow.
        """
        if not revision.strip() or revision.startswith("-"):
            raise ConfigError(f"{revision!r} is no revision; expected a branch, a tag or a commit")
        try:
            sha = git(self.root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        except ConfigError:
            raise ConfigError(f"{self.root} has no revision {revision!r}{self._hint(revision)}") from None
        subject, date = git(self.root, "log", "-1", "--format=%s%x00%cI", sha.strip()).rstrip("\n").split("\0")
        return Commit(sha=sha.strip(), subject=subject, date=date)

    def branch(self) -> str | None:
        """Return the name of the branch that is checked out, None where it is a commit alone."""
        name = git(self.root, "rev-parse", "--abbrev-ref", "HEAD").strip()
        return None if name == "HEAD" else name

    def dirty(self) -> bool:
        """Return whether files that git tracks differ from the commit that is checked out."""
        return bool(git(self.root, "status", "--porcelain", "--untracked-files=no").strip())

    def between(self, good: str, bad: str) -> tuple[Commit, ...]:
        """Return the commits after `good` up to `bad`, the oldest first, along the first parents.

        Raises: ConfigError for an unknown revision, or when `good` is no ancestor of `bad`.
        """
        first, last = self.commit(good), self.commit(bad)
        found = git(self.root, "rev-list", "--first-parent", "--reverse", f"{first.sha}..{last.sha}").split()
        ancestors = git(self.root, "rev-list", "--first-parent", last.sha).split()
        if first.sha not in ancestors or not found:
            raise ConfigError(
                f"{good} ({first.short}) does not come before {bad} ({last.short}) on one line of commits; expected an "
                "older revision that is good and a newer one that is bad"
            )
        return tuple(self.commit(sha) for sha in found)

    def own_folder(self) -> Path:
        """Return the folder in which git keeps what is the repository's own, one for all of its working trees."""
        return (self.root / git(self.root, "rev-parse", "--git-common-dir").strip()).resolve()

    def stat(self, sha: str) -> str:
        """Return what the commit `sha` changed, as `git show --stat` says it."""
        return git(self.root, "show", "--stat", "--no-color", sha)

    @contextmanager
    def checked_out(self, commit: Commit) -> Iterator[Path]:
        """Yield a folder with the files of `commit`, its submodules too, which goes with the block.

        After a kill the next start removes it. Raises: ConfigError when git cannot make it, as on a full disk.
        """
        with scratch_folder() as scratch:
            git(self.root, "worktree", "prune")
            # The folder's own name is the project's, as some projects look at it.
            folder = scratch / self.root.name
            git(self.root, "worktree", "add", "--quiet", "--detach", str(folder), commit.sha)
            try:
                if (folder / ".gitmodules").is_file():
                    git(folder, "submodule", "update", "--quiet", "--init", "--recursive")
                yield folder
            finally:
                _quietly(self.root, "worktree", "remove", "--force", "--force", str(folder))
        _quietly(self.root, "worktree", "prune")

    def _knows(self, revision: str) -> bool:
        try:
            git(self.root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        except ConfigError:
            return False
        return True

    def _hint(self, revision: str) -> str:
        remotes = git(self.root, "remote").split()
        if git(self.root, "rev-parse", "--is-shallow-repository").strip() == "true":
            # A shallow clone knows one branch alone, and unshallowed it still does.
            branches = f"git remote set-branches {remotes[0]} '*' && " if len(remotes) == 1 else ""
            return f": this is a shallow clone, so fetch the rest first: {branches}git fetch --unshallow"
        for each in remotes:
            if self._knows(f"{each}/{revision}"):
                return f", but {each} has: name it {each}/{revision}"
        remote, _, branch = revision.partition("/")
        if branch and remote in remotes:
            return f": fetch it first: git fetch {remote} {branch}"
        return "; expected a branch, a tag or a commit: git branch --all lists the branches"


def _quietly(folder: Path, *arguments: str) -> None:
    """Do what tidies up; the next start tries again where it fails."""
    try:
        git(folder, *arguments)
    except ConfigError:
        return
