"""What the suite does in a set beside the rounds: who is let in, who answers, and whether the answers still hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from nqperf.engines.threads import available_cores
from nqperf.errors import ParityError
from nqperf.perf.machine.gpu_memory import free_gpu_memory
from nqperf.perf.machine.resources import available_memory
from nqperf.perf.measuring.sets import Conduct, Process
from nqperf.perf.suite.processes import VariantProcess
from nqperf.perf.suite.session import Session
from nqperf.perf.variants.variant import Variant

# A further process must leave so much of the memory that there is to everybody else.
_SPARE = 0.1


@dataclass(slots=True, kw_only=True)
class SuiteConduct(Conduct):
    """The suite's conduct of its sets.

    Fields:
        session: The session.
        variants: The rows that answer and must be seen to do something, by name.
        on_gpu: Whether the processes share a GPU's memory.
        told: Told when a round begins, with its number.
    """

    session: Session
    variants: Mapping[str, Variant]
    on_gpu: bool = False
    told: Callable[[int], None] = lambda _: None
    _memory: Memory = field(init=False)
    _inside: int = 0

    def __post_init__(self) -> None:
        self._memory = Memory(on_gpu=self.on_gpu)

    def begins(self) -> None:
        """Count the processes anew."""
        self._inside = 0

    def refuses(self, name: str) -> str | None:
        """Return why the row `name` is not to be started now, None where it is.

        The reason is too little time to time it, or too little memory beside the others.
        """
        first = name in self.variants and not self.session.was_started(self.variants[name])
        if first and self.session.budget.left() < self._reserve():
            return f"out of time: {max(self.session.budget.left(), 0.0):.0f} s were left"
        return self._memory.refuses(name, self._inside)

    def loads_together(self, names: tuple[str, ...]) -> bool:
        """Return whether the processes of the rows `names` may load at once: they have cores and memory for it.

        On a GPU they load one after the other, for what each takes of its memory is what the others leave.
        """
        return not self.on_gpu and loads_side_by_side(self._memory, names, self._inside)

    def started(self, name: str, process: Process) -> None:
        """Note the memory that a row's process took, and the first time look at its states and answers.

        `name` is the row's, `process` its process, which is warm.

        Raises: NqPerfError when a switch had no effect or it fails; wrong answers are only noted, and it is timed.
        """
        self._inside += 1
        self._memory.note(name)
        if not isinstance(process, VariantProcess) or name not in self.variants:
            return
        run = self.session.run_of(self.variants[name])
        if self.session.was_started(self.variants[name]):
            return
        run.warmed = process.warmed
        self.session.observe(run, process)
        try:
            self.session.check_answers(run, process)
        except ParityError as error:
            run.failure = error
        if run.usage is not None and run.usage.peak_memory:
            self._memory.peaks[name] = run.usage.peak_memory

    def goes_on(self, rounds: int) -> bool:  # noqa: ARG002
        """Return whether there is time for a further round, however many `rounds` there were."""
        return self.session.budget.left() > self._round_seconds()

    def before_round(self, number: int) -> None:
        """Tell of the round `number`, from 0."""
        self.told(number)

    def over(self, name: str, process: Process) -> None:
        """Look at the answers of the row `name` once more, in its `process`.

        Raises: NqPerfError when they are others than at first, or a graph was traced again.
        """
        if not isinstance(process, VariantProcess) or name not in self.variants:
            return
        run = self.session.run_of(self.variants[name])
        try:
            self.session.check_again(run, process)
        except ParityError as error:
            run.failure = run.failure or error

    def _round_seconds(self) -> float:
        return (self._inside + 1) * self.session.speed.batch

    def _reserve(self) -> float:
        """Return the seconds that must be left for a row to be worth starting: its start, its answers, a few rounds."""
        session = self.session
        answers = len(session.task.features) / session.batch_size * session.speed.batch
        return session.speed.start + answers + 3 * (self._inside + 3) * session.speed.batch


def loads_side_by_side(memory: Memory, names: tuple[str, ...], inside: int) -> bool:
    """Return whether the rows `names` have a core and `memory` each, beside the `inside` processes that are there."""
    return available_cores() >= len(names) and memory.holds(names, inside)


@dataclass(slots=True, kw_only=True)
class Memory:
    """What processes are known to take of memory, and whether a further one has room; units: bytes.

    Fields:
        on_gpu: Whether a GPU's memory counts too.
        peaks: The most that each row's process ever held.
    """

    on_gpu: bool = False
    peaks: dict[str, int] = field(default_factory=dict)
    _gpu_peaks: dict[str, int] = field(default_factory=dict)
    _gpu_free: int | None = None

    def refuses(self, name: str, inside: int) -> str | None:
        """Return why the process of the row `name` has no room beside the `inside` ones that are there, None if it has.

        Beside at most one other process it is always tried.
        """
        if self.on_gpu:
            self._gpu_free = free_gpu_memory()
        return self._lacks((name,), inside)

    def holds(self, names: tuple[str, ...], inside: int) -> bool:
        """Return whether the rows `names` have room for a process each, beside the `inside` ones that are there."""
        return self._lacks(names, inside) is None

    def _lacks(self, names: tuple[str, ...], inside: int) -> str | None:
        if inside < 2:  # noqa: PLR2004  # the baseline and one row are the least that says anything
            return None
        rooms = ((available_memory(), self.peaks), (self._gpu_free, self._gpu_peaks))
        for free, peaks in rooms:
            most = max(peaks.values(), default=0)
            needed = sum(peaks.get(name, most) for name in names)
            if free is not None and needed > (1 - _SPARE) * free:
                return f"no memory: it takes up to {needed / (1 << 30):.1f} GiB, and {free / (1 << 30):.1f} are left"
        return None

    def note(self, name: str) -> None:
        """Note what the process of the row `name`, which was just started, took of the GPU's memory."""
        if not self.on_gpu or self._gpu_free is None:
            return
        free = free_gpu_memory()
        if free is not None:
            self._gpu_peaks[name] = max(self._gpu_peaks.get(name, 0), self._gpu_free - free)
