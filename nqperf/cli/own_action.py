"""Where this nqperf came from, as a step of a workflow names its action: OWNER/REPO/.github/actions/ab@COMMIT."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

import nqperf
from nqperf.errors import ConfigError
from nqperf.formats.starter_files import FOLDER
from nqperf.perf.machine.git_command import git

_NAMED = re.compile(rf"([\w-]+/[\w.-]+)(/{re.escape(FOLDER)})?@([\w./-]+)|\./[\w./-]+")
_GITHUB = re.compile(
    r"(?:(?:https|ssh)://(?:[^/@]+@)?|git@)github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?", re.IGNORECASE
)


class _Vcs(msgspec.Struct, frozen=True):
    commit_id: str = ""


class _Origin(msgspec.Struct, frozen=True):
    """What an installer leaves of where a distribution was from (direct_url.json)."""

    url: str = ""
    vcs_info: _Vcs = _Vcs()


def action_named(text: str) -> str:
    """Return the action that `text` names, OWNER/REPO@REF with the action's folder or without, or ./FOLDER.

    Raises: ConfigError for a text of another form.
    """
    found = _NAMED.fullmatch(text)
    if found is None:
        raise ConfigError(
            f"--action {text!r} is no action; expected OWNER/REPO@COMMIT, a repository on GitHub with nqperf's files, "
            "or ./FOLDER, an action in the project itself"
        )
    return text if found[1] is None else f"{found[1]}/{FOLDER}@{found[3]}"


def own_action() -> str | None:
    """Return the action of the commit that this nqperf is from, None where it is not on GitHub as far as is known."""
    origin = _origin()
    parts = urlsplit(origin.url)
    checkout = Path(unquote(parts.path)) if parts.scheme == "file" else Path(nqperf.__file__).parents[1]
    if origin.vcs_info.commit_id:
        repository = _GITHUB.fullmatch(origin.url)
        return _action(repository, origin.vcs_info.commit_id)
    return action_of_checkout(checkout)


def action_of_checkout(folder: Path) -> str | None:
    """Return the action of what is checked out in `folder`, None where that is on no GitHub, or not pushed yet."""
    if not (folder / FOLDER / "action.yml").is_file():
        return None
    try:
        if Path(git(folder, "rev-parse", "--show-toplevel").strip()) != folder.resolve():
            return None
        commit = git(folder, "rev-parse", "HEAD").strip()
        url = git(folder, "remote", "get-url", "origin").strip()
        pushed = git(folder, "for-each-ref", "--count=1", "--contains", commit, "refs/remotes/origin", "refs/tags")
    except ConfigError:  # no repository, no git, or no origin
        return None
    return _action(_GITHUB.fullmatch(url), commit) if pushed.strip() else None


def _action(repository: re.Match[str] | None, commit: str) -> str | None:
    return None if repository is None else f"{repository[1]}/{FOLDER}@{commit}"


def _origin() -> _Origin:
    """Return what the installer left; empty where it left nothing, or nothing that can be read."""
    try:
        text = distribution("nqperf").read_text("direct_url.json")
        return _Origin() if text is None else msgspec.json.decode(text, type=_Origin)
    except (PackageNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return _Origin()
