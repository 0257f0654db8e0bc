"""Shards answered by a Ray cluster: actors that load the model once, one shard each at a time.

Ray Data has no time limit for a function that hangs, so this is the little that is needed of a scheduler: a shard whose
worker dies, fails or hangs goes to another worker, and only the driver writes, so that no shard is answered twice, and
a driver that dies goes on from its journal.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nqperf
from nqperf.engines.registry import find_engine
from nqperf.engines.threads import INTRA_OP
from nqperf.errors import ConfigError, MissingExtraError, NqPerfError
from nqperf.formats.files import scratch_folder
from nqperf.shards.worker import Progress, Shard, Task, Worker, WorkerConfig

LOCAL = "local"
_LAST_WORDS = 200
_HOST_AND_PORT = re.compile(r"([\w.-]+):(\d+)")
_CONNECT_SECONDS = 10.0
_LOOPBACK = "127.0.0.1"
# Ray asks this variable whether it may listen for other machines; without it the ports of a local one are open to all.
# Nor does it tell its makers of the run.
_LOCAL_ENVIRONMENT = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
}
_TOKEN = "RAY_AUTH_TOKEN"  # noqa: S105  # the name of the variable that holds it


class ClusterError(NqPerfError):
    """The cluster cannot start a worker, or a shard fails on every worker that is given it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """Where workers run, and what each is given.

    `address` is that of a running Ray, or "local" for one on this machine alone. `workers` is how many there are at
    most; None takes as many as the cluster has room for. Each is given `worker_cpus` CPUs and `worker_gpus` GPUs, which
    may be a fraction: so many workers share a GPU. A worker that takes longer than `shard_seconds` for a shard counts
    as hung, and a shard is tried `tries` times; `start_seconds` is the time in which a worker must start while none is
    at work.
    Units: seconds.

    Raises: ConfigError for a number below 1, for seconds that are not above 0, and for GPUs below 0.
    """

    address: str = LOCAL
    workers: int | None = None
    worker_cpus: int = 1
    worker_gpus: float = 0.0
    shard_seconds: float = 3600.0
    start_seconds: float = 600.0
    tries: int = 4

    def __post_init__(self) -> None:
        for name in ("workers", "worker_cpus", "tries"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} is {value}; expected at least 1")
        if not (self.shard_seconds > 0 and self.start_seconds > 0 and self.worker_gpus >= 0):
            raise ConfigError("shard_seconds, start_seconds and worker_gpus: expected above 0, and 0 or more GPUs")


class RayWorker:
    """The actor: a worker in a process of its own, which loads its model when it is first asked.

    `config` says what it loads and how it computes; its engine takes `cpus` threads.
    """

    def __init__(self, config: WorkerConfig, cpus: int) -> None:
        # An engine would take every core of the machine, of which this worker is given a part.
        os.environ.update({**find_engine(config.engine).engine_type().environment, INTRA_OP: str(cpus)})
        self._config = config
        self._worker: Worker | None = None

    def start(self) -> None:
        """Load the model."""
        self._worker = Worker(self._config)

    def answer(self, task: Task) -> Shard:
        """Answer the shard `task`, as `Worker.answer` does; `start` comes first."""
        assert self._worker is not None, "start comes first"  # noqa: S101
        return self._worker.answer(task)


@dataclass(slots=True, kw_only=True, eq=False)
class _Call:
    """What a worker was asked: to start, or to answer a task."""

    actor: Any
    task: Task | None
    until: float


@dataclass(slots=True, kw_only=True)
class WorkerPool:
    """The workers of a run; leaving the `with` block of `joined` ends them.

    `ray` is the module as `joined` yields it, `config` what each worker loads, `cluster` what it is given, and
    `worker_type` the class that becomes an actor.
    """

    ray: Any
    config: WorkerConfig
    cluster: ClusterConfig
    worker_type: type[RayWorker]
    _calls: dict[Any, _Call] = field(default_factory=dict)
    _idle: list[Any] = field(default_factory=list)
    _again: deque[Task] = field(default_factory=deque)
    _failures: dict[int | None, int] = field(default_factory=dict)

    def answered(self, tasks: Iterator[Task]) -> Iterator[Shard]:
        """Yield the shards of `tasks` as they are done; a task is asked for when a worker is free.

        Raises: ClusterError when a shard fails everywhere; whatever an answer raises that is the input's fault.
        """
        task = next(tasks, None)
        if task is None:
            return
        self._again.append(task)
        for _ in range(self._size()):
            self._start()
        while True:
            while self._idle and (task := self._next(tasks)) is not None:
                self._ask(self._idle.pop(), task)
            if all(call.task is None for call in self._calls.values()) and not self._again and self._idle:
                return
            yield from self._finished()

    def _next(self, tasks: Iterator[Task]) -> Task | None:
        return self._again.popleft() if self._again else next(tasks, None)

    def _size(self) -> int:
        have, need = self.ray.cluster_resources(), self.cluster
        room = have.get("CPU", 0) / need.worker_cpus
        if need.worker_gpus:
            room = min(room, have.get("GPU", 0) / need.worker_gpus)
        if room < 1:
            raise ClusterError(
                f"the cluster has {have.get('CPU', 0):g} CPUs and {have.get('GPU', 0):g} GPUs, and a worker is given "
                f"{need.worker_cpus} and {need.worker_gpus:g}: ask for less"
            )
        return int(room) if need.workers is None else min(need.workers, int(room))

    def _start(self) -> None:
        needs = {"num_cpus": self.cluster.worker_cpus, "num_gpus": self.cluster.worker_gpus}
        actor = self.ray.remote(self.worker_type).options(**needs).remote(self.config, self.cluster.worker_cpus)
        until = time.monotonic() + self.cluster.start_seconds
        self._calls[actor.start.remote()] = _Call(actor=actor, task=None, until=until)

    def _ask(self, actor: Any, task: Task) -> None:
        until = time.monotonic() + self.cluster.shard_seconds
        self._calls[actor.answer.remote(task)] = _Call(actor=actor, task=task, until=until)

    def _finished(self) -> Iterator[Shard]:
        """Wait until a call is done, or hangs; yield its shard."""
        first = min(call.until for call in self._calls.values())
        done, _ = self.ray.wait(list(self._calls), timeout=max(0.0, first - time.monotonic()))
        for reference in done:
            call = self._calls.pop(reference)
            try:
                shard: Shard | None = self.ray.get(reference)
            except self.ray.exceptions.RayError as error:
                cause = getattr(error, "cause", None)
                if isinstance(cause, NqPerfError):
                    raise cause from None
                self._replace(call, str(cause or error))
                continue
            self._idle.append(call.actor)
            if shard is not None:
                yield shard
        for reference in [one for one, call in self._calls.items() if time.monotonic() >= call.until]:
            self._overdue(reference)

    def _overdue(self, reference: Any) -> None:
        call = self._calls[reference]
        busy = any(other.task is not None for other in self._calls.values())
        if call.task is None and busy:  # there is no room for it since a node was lost; the others go on
            call.until = time.monotonic() + self.cluster.start_seconds
            return
        del self._calls[reference]
        limit = self.cluster.start_seconds if call.task is None else self.cluster.shard_seconds
        self._replace(call, f"no reply within {limit:g} s")

    def _replace(self, call: _Call, reason: str) -> None:
        """Start another worker in place of one that failed, and give its task to the next that is free."""
        self.ray.kill(call.actor)
        number = None if call.task is None else call.task.number
        self._failures[number] = self._failures.get(number, 0) + 1
        if self._failures[number] >= self.cluster.tries * (self._size() if call.task is None else 1):
            what = "workers do not start" if number is None else f"shard {number + 1} fails"
            last = " ".join(reason.split())[-_LAST_WORDS:]
            raise ClusterError(f"{what}, {self._failures[number]} times; the last: {last}")
        if call.task is not None:
            self._again.append(call.task)
        self._start()


@contextlib.contextmanager
def joined(cluster: ClusterConfig) -> Iterator[Any]:
    """Yield Ray, connected to `cluster` for the block; a local one lives as long as that.

    A local Ray listens on the loopback address alone, and answers only who has the token that is made for it.
    Raises: MissingExtraError without Ray, ClusterError when there is no cluster at the address, or when a local one
    would listen to other machines.
    """
    with contextlib.ExitStack() as stack:
        if cluster.address == LOCAL:
            stack.enter_context(_for_this_machine_alone())
        try:
            import ray
            import ray.exceptions
        except ImportError:
            raise MissingExtraError("ray", purpose="a run on a cluster") from None
        if not ray.is_initialized():
            _connect(ray, cluster, stack.enter_context(scratch_folder()))
            stack.callback(ray.shutdown)
        yield ray


@contextlib.contextmanager
def _for_this_machine_alone() -> Iterator[None]:
    """Let a Ray that is imported and started in the block listen to this machine, and to who knows its token."""
    # Its workers find this package as this process does, whatever the working directory is.
    paths = filter(None, (str(Path(nqperf.__file__).parents[1]), *os.environ.get("PYTHONPATH", "").split(os.pathsep)))
    wanted = {**_LOCAL_ENVIRONMENT, _TOKEN: secrets.token_hex(32), "PYTHONPATH": os.pathsep.join(paths)}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _connect(ray: Any, cluster: ClusterConfig, scratch: Path) -> None:
    local = cluster.address == LOCAL
    # Ray opens its folder to everybody; the one around it stays closed.
    where = {"include_dashboard": False, "_temp_dir": str(scratch / "ray")} if local else {"address": cluster.address}
    if local and (listens := ray.util.get_node_ip_address()) != _LOOPBACK:
        raise ClusterError(
            f"Ray would listen on {listens} for other machines, as it was imported before this run: run in a process "
            "that has not imported it, or name the address of a cluster of yours"
        )
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        if host_and_port := _HOST_AND_PORT.fullmatch(cluster.address):  # Ray itself tries for minutes
            socket.create_connection((host_and_port[1], int(host_and_port[2])), timeout=_CONNECT_SECONDS).close()
        # Ray puts the driver's working directory first on its workers' paths, unless the job is a client's.
        job = ray.job_config.JobConfig(_client_job=True)
        ray.init(log_to_driver=False, logging_level="ERROR", job_config=job, **where)
    except (OSError, RuntimeError, ValueError) as error:
        said = " ".join(str(error).split())[:_LAST_WORDS]
        raise ClusterError(f"no Ray at {cluster.address} ({said}): start one, or leave the address out") from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, on_sigterm)  # Ray takes it, and would end without a word


def answered_by_cluster(
    tasks: Iterator[Task], config: WorkerConfig, cluster: ClusterConfig, progress: Progress
) -> Generator[Shard, None, None]:
    """Yield the shards of `tasks` as a cluster has answered them, in any order.

    `config` says what each worker loads, `cluster` where workers run; `progress` is told of each shard's windows and
    examples when it is done.

    Raises: as `joined` and `WorkerPool.answered` do.
    """
    with joined(cluster) as ray:
        for shard in WorkerPool(ray=ray, config=config, cluster=cluster, worker_type=RayWorker).answered(tasks):
            progress("windows", shard.record.windows)
            progress("examples", shard.record.examples)
            yield shard
