"""What the audit hears from its hooks, and the guard that keeps a fault of the audit from stopping the user's model."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from nqperf.errors import NqPerfError


class UnsupportedError(NqPerfError):
    """A private hook that the audit needs is gone in the installed TensorFlow or Keras: no verdict is given."""


class Repair(NamedTuple):
    """The `arguments` with which a refused op can be built, by name.

    `narrow` is the dtype that its wide results are cast back to, None where they stay.
    """

    arguments: dict[str, Any]
    narrow: str | None = None


class Listener:
    """What the audit hears from the hooks, in the thread that installed them; this one notes and repairs nothing."""

    def mismatch(self, op_type: str, arguments: dict[str, Any], error: Exception) -> Repair | None:
        """Return the `arguments` of a graph op repaired so that it can be built, or None when they cannot be.

        `op_type` is TensorFlow's name of the op, `error` what TensorFlow raised.
        """

    def refused(self, value: Any, dtype: Any) -> Any | None:
        """Return `value`, a tensor that could not be converted to `dtype`, cast to it, or None when it is no float."""

    def converted(self, value: Any, tensor: Any) -> None:
        """Note a Python or NumPy `value` that became a `tensor`."""

    def promotion(self, dtypes: tuple[Any, ...], result: str) -> None:
        """Note `result`, the dtype that Keras computes in for operands of `dtypes`."""

    def operation(self, op_type: str, inputs: tuple[Any, ...], outputs: tuple[Any, ...], graph: Any) -> None:
        """Note an op of the kind `op_type`, which reads the tensors `inputs` and gives `outputs`.

        `graph` is None for one that was executed eagerly.
        """

    def wired(self) -> None:
        """Note that the Keras operation under way is called on symbolic tensors."""

    def diverged(self, op_type: str, results: Sequence[Sequence[Any]], mark: Any) -> list[str | None] | None:
        """Note branches, or the rounds of a loop, whose flat `results` differ in float type; `mark` is before them.

        `op_type` is "If", "Case" or "While". Returns the dtype that each result should be cast to, None for one that
        stays; None where nothing differs.
        """

    def fitted(self, value: Any, dtype: str) -> Any:
        """Return a float `value` cast to `dtype`, as a repair of what did not fit."""

    def mark(self) -> Any:
        """Return where the record stands, before something that may have to be tried again."""

    def undo(self, mark: Any) -> None:
        """Forget the ops noted since `mark`: what made them was thrown away and is made again."""


class Guarded:
    """A `listener` whose own exceptions go no further: they are kept in `failures`, and the model goes on.

    It is deaf to every thread but the one that made it, and to what the listener itself does.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._thread = threading.get_ident()
        self.failures: list[Exception] = []
        self.building = 0  # depth of ops being built, in which failing conversions are their own business

    def here(self) -> bool:
        """Whether this is the thread that is audited."""
        return threading.get_ident() == self._thread

    def tell(self, what: str, *arguments: Any) -> Any:
        """Call the listener's method `what` with these `arguments`; None when it fails."""
        method: Callable[..., Any] = getattr(self._listener, what)
        try:
            return method(*arguments)
        except NqPerfError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever is wrong with the audit is no fault of the model
            self.failures.append(error)
            return None

    @contextlib.contextmanager
    def inside_op(self) -> Iterator[None]:
        """Mark that an op is being built."""
        self.building += 1
        try:
            yield
        finally:
            self.building -= 1


def unsupported(reason: str) -> str:
    """Return what to say when the installed versions give no verdict, for this `reason`."""
    import keras
    import tensorflow as tf

    return (
        f"UNSUPPORTED: {reason} (TensorFlow {tf.__version__}, Keras {keras.__version__}); "
        "no verdict is given: install a version that nqperf names in its dependencies"
    )
