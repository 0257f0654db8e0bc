"""What the parent and a worker say to each other: msgpack messages, each behind its length, over two pipes."""

from __future__ import annotations

import queue
import struct
import threading
import time
from collections.abc import Callable
from typing import Any, BinaryIO

import msgspec
import numpy as np

from nqperf.engines.registry import EngineRow
from nqperf.engines.state import EngineState
from nqperf.errors import NqPerfError
from nqperf.nq.example import FloatArray, IntArray
from nqperf.nq.features import MODEL_INPUTS, Features
from nqperf.records.results import Usage

# Raised with every change that a process of another version would not understand.
VERSION = 2
_LENGTH = struct.Struct(">Q")


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A message; its type's name travels with it."""


def packed(features: Features) -> bytes:
    """Return MODEL_INPUTS of all `features` as they travel: int32[3, rows, seq_length]."""
    return np.stack([getattr(features, name) for name in MODEL_INPUTS]).tobytes()


def unpacked(inputs: bytes, seq_length: int) -> IntArray:
    """Return `inputs` of windows of `seq_length` positions as an array: int32[3, rows, seq_length]."""
    return np.frombuffer(inputs, dtype=np.int32).reshape(len(MODEL_INPUTS), -1, seq_length)


class Hello(Message, frozen=True):
    """Say which `version` of the protocol is spoken; every worker answers it so, and it never changes."""

    version: int


class Load(Message, frozen=True):
    """Load the model in the folder `model` into `engine` with these `settings`, to run `batch_size` windows at once.

    `identity` is that of the folder's files when the parent opened it: any other content is refused. `inputs` holds
    int32[3, rows, seq_length]: MODEL_INPUTS of every feature.
    """

    model: str
    identity: dict[str, str]
    engine: EngineRow
    settings: dict[str, Any]
    inputs: bytes
    seq_length: int
    batch_size: int

    def arrays(self) -> IntArray:
        """Return `inputs` as an array."""
        return unpacked(self.inputs, self.seq_length)


class Loaded(Message, frozen=True):
    """How long it took, and how many `batches` there are to time.

    `import_seconds` went to the engine's library, `build_seconds` to the model and its batches.
    """

    import_seconds: float
    build_seconds: float
    batches: int


class Trace(Message, frozen=True):
    """Trace the graph, where the engine has one."""


class Traced(Message, frozen=True):
    """How long it took, in `seconds`."""

    seconds: float


class FirstBatch(Message, frozen=True):
    """Run the first batch of all, in which an engine may compile; its states can be seen afterwards."""


class Predict(Message, frozen=True):
    """Run the first `rows` features once, in whole batches.

    `inputs` are those of other features than Load's, in the same form; None for those.
    """

    rows: int
    inputs: bytes | None = None


class Predicted(Message, frozen=True):
    """The logits of these features, the seconds inside the model, and what a batch took of the system.

    `start_logits`, `end_logits` and `answer_type_logits` are the bytes of float32[rows, s], twice, and float32[rows,
    5]. `seconds` are those of all batches, `usage` is per batch, None where the system does not tell.
    """

    start_logits: bytes
    end_logits: bytes
    answer_type_logits: bytes
    seconds: float
    usage: Usage | None = None

    def arrays(self, rows: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the logits as arrays of so many `rows`."""
        start, end, answer_type = (
            np.frombuffer(part, dtype=np.float32).reshape(rows, -1)
            for part in (self.start_logits, self.end_logits, self.answer_type_logits)
        )
        return start, end, answer_type


class Observe(Message, frozen=True):
    """Say which states the switches are in; `rates` also measures how fast a large matrix product is."""

    rates: bool = True


class Plant(Message, frozen=True):
    """Measure how much further work adds `fraction` to the time of so many `batches`; 0 takes it away again."""

    fraction: float
    batches: int = 1


class Planted(Message, frozen=True):
    """The `fraction` of its batches' time that the planted work takes, as measured."""

    fraction: float


class TimeBatch(Message, frozen=True):
    """Run so many `batches`, and the planted work, if there is any, once beside them.

    The first follows those of the requests with a smaller `number`; behind the last batch they begin anew.
    """

    number: int
    batches: int = 1


class Timed(Message, frozen=True):
    """How long it took, in `seconds`, with the outputs on the host, and of how many `windows`, None for none."""

    seconds: float
    windows: int | None = None


class Stop(Message, frozen=True):
    """End the process."""


class Failed(Message, frozen=True):
    """The request could not be done, for this `reason`; `bad_input` says that it is the user's input that is wrong."""

    reason: str
    bad_input: bool = False


class ObservedStates(Message, frozen=True):
    """The reply to Observe: the engine's `states`, and the memory of the process on huge pages and in all.

    These are `huge_page_bytes` and `resident_bytes`; None where the system does not tell.
    """

    states: EngineState
    huge_page_bytes: int | None = None
    resident_bytes: int | None = None


Request = Load | Trace | FirstBatch | Predict | Observe | Plant | TimeBatch | Stop
Reply = Loaded | Traced | Predicted | ObservedStates | Planted | Timed | Failed


class ClosedError(NqPerfError):
    """The other side is gone."""


class Channel:
    """Messages in both directions; a thread of its own reads, so that waiting can end after a while.

    They are read from `incoming`, as messages of the type `kind`, and written to `outgoing`. `on_close` is called in
    that thread when the other side is gone. `arrived` is when the last message came, in seconds of `time.perf_counter`.
    """

    def __init__(
        self, incoming: BinaryIO, outgoing: BinaryIO, kind: Any, on_close: Callable[[], None] = lambda: None
    ) -> None:
        self._outgoing = outgoing
        self.arrived = time.perf_counter()
        self._arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._reader = threading.Thread(
            target=self._read,
            args=(incoming, msgspec.msgpack.Decoder(kind), on_close),
            name="nqperf-channel",
            daemon=True,
        )
        self._reader.start()

    def send(self, message: msgspec.Struct) -> None:
        """Send one `message`.

        Raises: ClosedError when the other side is gone.
        """
        content = msgspec.msgpack.encode(message)
        try:
            self._outgoing.write(_LENGTH.pack(len(content)) + content)
            self._outgoing.flush()
        except (OSError, ValueError) as error:
            raise ClosedError("the other side closed the channel") from error

    def receive(self, timeout: float | None = None) -> Any:
        """Return the next message.

        Raises: ClosedError when the other side is gone, TimeoutError after `timeout` seconds without a message.
        """
        try:
            message = self._arrived.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError from None
        if isinstance(message, Exception):
            self._arrived.put(message)  # it stays closed
            raise ClosedError(f"the other side closed the channel: {message}")
        return message

    def join(self) -> None:
        """Wait for the reading thread, which ends when the other side is gone."""
        self._reader.join()

    def _read(self, incoming: BinaryIO, decoder: Any, on_close: Callable[[], None]) -> None:
        try:
            while True:
                (length,) = _LENGTH.unpack(_exactly(incoming, _LENGTH.size))
                content = _exactly(incoming, length)
                self.arrived = time.perf_counter()
                self._arrived.put(decoder.decode(content))
        except (EOFError, OSError, ValueError, msgspec.DecodeError) as error:
            self._arrived.put(error)
            on_close()


def _exactly(file: BinaryIO, count: int) -> bytes:
    """Read `count` bytes, or raise EOFError."""
    content = file.read(count)
    if len(content) < count:
        raise EOFError("end of the pipe")
    return content
