"""A worker as the parent sees it: started with its variant's environment, asked, and ended whatever happens."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, TypeVar, cast

import msgspec

from nqperf.errors import NqPerfError
from nqperf.formats.files import scratch_folder
from nqperf.perf.machine.environment import python_command
from nqperf.perf.machine.resources import Activity, activity
from nqperf.perf.measuring.limits import TooSlowError
from nqperf.perf.workers import protocol

Reply = TypeVar("Reply", bound=msgspec.Struct)
WORKER = "nqperf.perf.workers.worker"
_STDERR_LINES = 3
_STDERR_BYTES = 4096
# A process that computes uses at least this share of one core's time while it is waited for, also where others do.
_COMPUTING = 0.05
# A process that dies has closed its pipes and is gone soon after.
_ENDING_SECONDS = 10


class WorkerError(NqPerfError):
    """A worker died, hung, or could not do what it was asked; `message` says which, and its last words.

    `fault` is what it said of the user's own input, None where that is not what stopped it. `request` is the message
    that it said it could not do, and `reason` why ("TypeError: no weights"); None where it said nothing itself.
    """

    def __init__(
        self,
        message: str,
        *,
        fault: str | None = None,
        request: type[msgspec.Struct] | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(message)
        self.fault, self.request, self.reason = fault, request, reason


class WorkerProcess:
    """A running worker with an `environment` of `worker_environment`; leaving the `with` block ends it.

    `name` is what messages call it. `module` is what the process runs (None: a variant), `replies` the union of
    messages that it answers with, `python` its interpreter (None: this process's), `cores` those that it starts on
    (None: all that are usable here).
    """

    def __init__(
        self,
        name: str,
        environment: Mapping[str, str],
        *,
        module: str | None = None,
        replies: Any = protocol.Reply,
        python: str | None = None,
        cores: frozenset[int] | None = None,
    ) -> None:
        self.name = name
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  # it lives as long as the process
        # Libraries leave files behind when their process is killed, as AutoGraph the code that it makes.
        self._folder = contextlib.ExitStack()
        temporary = self._folder.enter_context(scratch_folder())
        with _held_to(cores):
            self._process = subprocess.Popen(
                python_command(module or WORKER, str(os.getpid()), python=python),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                env={**environment, "TMPDIR": str(temporary)},
            )
        # Both are pipes, as asked for above; typeshed cannot tell.
        self._pipes = (cast("BinaryIO", self._process.stdin), cast("BinaryIO", self._process.stdout))
        self._channel = protocol.Channel(self._pipes[1], self._pipes[0], replies | protocol.Hello)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def replied(self) -> float:
        """When the last reply arrived, in seconds of `time.perf_counter`."""
        return self._channel.arrived

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def __enter__(self) -> WorkerProcess:  # noqa: PYI034  # typing.Self is newer than Python 3.10
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def ask(self, request: msgspec.Struct, reply: type[Reply], *, timeout: float) -> Reply:
        """Send a `request` and return the answer to it, a message of the type `reply`.

        Raises: WorkerError when the worker is dead, says that it failed, or gives no reply within `timeout` seconds (it
        is ended then); TooSlowError where it was seen to compute all the while.
        """
        self.send(request)
        return self.reply_to(type(request), reply, timeout=timeout)

    def send(self, request: msgspec.Struct) -> None:
        """Send `request` and do not wait for its reply, which `reply_to` takes.

        Raises: WorkerError when the worker is dead.
        """
        try:
            self._channel.send(request)
        except protocol.ClosedError:
            raise self._died(type(request).__name__) from None

    def reply_to(self, request: type[msgspec.Struct], reply: type[Reply], *, timeout: float) -> Reply:
        """Return the next reply, a `reply`, to a `request` that was sent; `timeout` seconds run from now.

        Raises: as `ask`.
        """
        what = request.__name__
        before = activity(self.pid)
        try:
            answer = self._channel.receive(timeout)
        except TimeoutError:
            after = activity(self.pid)
            self.end()
            late = f"worker of {self.name}: no reply to {what} within {timeout:.3g} s"
            if _computed(before, after, timeout):
                raise TooSlowError(f"{late}, in which it computed", seconds=timeout) from None
            raise WorkerError(f"{late}: {_doing(after)}") from None
        except protocol.ClosedError:
            raise self._died(what) from None
        if isinstance(answer, protocol.Failed):
            fault = answer.reason.partition(": ")[2] if answer.bad_input else None
            said = f"worker of {self.name} failed at {what}: {answer.reason}"
            raise WorkerError(said, fault=fault, request=request, reason=answer.reason)
        if not isinstance(answer, reply):
            self.end()
            raise WorkerError(f"worker of {self.name} replied {type(answer).__name__} to {what}")
        return answer

    def _died(self, what: str) -> WorkerError:
        return WorkerError(f"worker of {self.name} died at {what}: {self._last_words()}")

    def end(self) -> None:
        """End the process and wait for it."""
        self._process.kill()
        self._process.wait()
        for pipe in self._pipes:
            with contextlib.suppress(OSError):
                pipe.close()
        self._channel.join()
        self._stderr.close()
        self._folder.close()

    def _last_words(self) -> str:
        """Return how the process ended and its last lines."""
        try:
            status = self._process.wait(_ENDING_SECONDS)
        except subprocess.TimeoutExpired:  # it closed its pipe and lives on
            self._process.kill()
            status = self._process.wait()
        if self._stderr.closed:
            return "it was ended before"
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - _STDERR_BYTES))
        lines = self._stderr.read().decode(errors="replace").splitlines()
        said = " | ".join(line.strip() for line in lines[-_STDERR_LINES:] if line.strip())
        return f"{_ending(status)}; {said or 'it said nothing'}"


@contextlib.contextmanager
def _held_to(cores: frozenset[int] | None) -> Iterator[None]:
    """Hold this thread to some cores in the block: a process that is started in it finds no others."""
    if cores is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _computed(before: Activity | None, after: Activity | None, seconds: float) -> bool:
    """Return whether a process used the processor while it was waited for, and is not stopped."""
    if before is None or after is None or after.state in "Tt":
        return False
    return after.cpu_seconds - before.cpu_seconds >= _COMPUTING * seconds


def _doing(seen: Activity | None) -> str:
    """Return what a process that does not reply was seen to do."""
    if seen is None:
        return "it hangs"
    return "it is stopped" if seen.state in "Tt" else "it hangs, and does not compute"


def _ending(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    name = signal.Signals(-status).name
    hint = ", as the system does when memory runs out" if -status == signal.SIGKILL else ""
    return f"killed by {name}{hint}"
