"""From Python frames to the line that is to blame, the layer it belongs to, and what kind of cast is being made."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from nqperf.casts.trace.records import SourceLocation

_HERE = tuple(f"{Path(__file__).parents[2] / part}" for part in (f"casts{os.sep}", f"cli{os.sep}", "pytest_casts.py"))
_AUTOGRAPH = "__autograph_generated_file"

# Functions of Keras and TensorFlow that make casts, by (end of file name, function) -> kind. The first one met on the
# way out decides.
_CAST_MAKERS = {
    ("keras/src/backend/common/variables.py", "_maybe_autocast"): "variable",
    ("keras/src/layers/layer.py", "maybe_convert"): "autocast",
    ("keras/src/dtype_policies/dtype_policy.py", "convert_input"): "autocast",
    # A functional model brings what it is called with to the dtypes of its inputs.
    ("keras/src/models/functional.py", "_convert_inputs_to_tensors"): "autocast",
    ("keras/src/engine/functional.py", "_conform_to_reference_input"): "autocast",
    ("keras/src/ops/core.py", "cast"): "explicit",
    # tf_keras, the Keras of old that Hugging Face's TensorFlow models are made of
    ("keras/src/engine/base_layer.py", "_maybe_cast_inputs"): "autocast",
    **{
        ("keras/src/mixed_precision/autocast_variable.py", reading): "variable"
        for reading in ("value", "read_value", "sparse_read", "gather_nd", "_dense_var_to_tensor")
    },
}


_KERAS = ("keras", "tf_keras")
_LAYERS = ("layer.py", "base_layer.py", "training.py")  # where a layer's __call__ is defined
_OPERATOR_DEPTH = 18  # frames between TensorFlow's refusal of an op and the operator that was written


@dataclass(slots=True)
class CallSite:
    """Where an op is made: the user's frame, the innermost layer, and the Keras operations under way.

    `frame` and `layer` are None where there is none; `operations` come innermost first. `kind` says what makes a cast
    there, as `OpRecord` has it, "" for nothing. `wirings` has each of the operations that the user's code called, with
    the frame that did. `outermost` is the outermost layer with what it is called with: its
    positional arguments and its named ones.
    """

    frame: FrameType | None
    layer: Any
    operations: list[Any]
    kind: str
    outermost: tuple[Any, tuple[Any, ...], dict[str, Any]] | None = None
    wirings: list[tuple[Any, FrameType]] = field(default_factory=list)


def audited(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call the user's code, `call` with `args` and `kwargs`: frames further out than this one are not the model's."""
    return call(*args, **kwargs)


def caller(depth: int) -> FrameType:
    """Return the frame `depth` calls further out than the caller's."""
    return sys._getframe(depth + 1)  # noqa: SLF001  # the one way to a frame


def call_site(frame: FrameType | None) -> CallSite:
    """Walk from `frame` outwards to the audit itself; what is made outside of the user's code has no place."""
    user: FrameType | None = None
    layer: Any = None
    operations: list[Any] = []
    kind = ""
    outermost = None
    wirings: list[tuple[Any, FrameType]] = []
    inside = False
    while frame is not None:
        code = frame.f_code
        owner = _owner(code.co_filename)
        if owner == "user":
            user = user or frame
            kind = kind or "explicit"
            # The next user's frame further out has called what lies between: a layer's own lines do not wire it.
            wirings += [(operation, frame) for operation in operations[len(wirings) :]]
        elif owner == "audit" and code.co_name == "audited":
            inside = True
            break
        elif owner == "keras":
            maker = _maker(code)
            kind = kind or maker
            if code.co_name in ("__call__", "symbolic_call"):
                operation = frame.f_locals.get("self")
                if operation is not None and (not operations or operations[-1] is not operation):
                    operations.append(operation)
                if code.co_filename.endswith(_LAYERS) and hasattr(operation, "compute_dtype"):
                    layer = layer if layer is not None else operation
                    outermost = (operation, frame.f_locals.get("args", ()), frame.f_locals.get("kwargs", {}))
            elif not kind and not maker and _is_backend_op(code):
                kind = "promotion"
        frame = frame.f_back
    if not inside:
        return CallSite(frame=None, layer=None, operations=[], kind="")
    return CallSite(
        frame=user,
        layer=layer,
        operations=operations,
        kind=kind or "explicit",
        outermost=outermost,
        wirings=wirings,
    )


def has_reflected_operator(frame: FrameType | None, values: Iterable[Any]) -> bool:
    """Whether TensorFlow will hand an operator that it refuses to its right operand, as Keras's variables take it.

    `frame` is the innermost one of the refusal, `values` are the operands.
    """
    # An eager tensor has no op, but it is TensorFlow's own: it refuses just so when it stands on the left.
    foreign = [each for each in values if hasattr(each, "dtype") and not _is_tensorflows(each)]
    for _ in range(_OPERATOR_DEPTH if foreign else 0):
        if frame is None:
            return False
        if frame.f_code.co_name == "binary_op_wrapper":
            right, name = frame.f_locals.get("y"), frame.f_locals.get("op_name")
            return any(right is each for each in foreign) and hasattr(type(right), f"__r{name}__")
        frame = frame.f_back
    return False


def _is_tensorflows(value: Any) -> bool:
    return type(value).__module__.startswith("tensorflow.") or hasattr(value, "op")


def location_of(frame: FrameType) -> SourceLocation:
    """Return the source that `frame` is executing, with columns where the interpreter keeps them."""
    code = frame.f_code
    if sys.version_info >= (3, 11):
        start, end, column, end_column = _position(code, frame.f_lasti)
        if start is not None:
            return SourceLocation(path=code.co_filename, line=start, column=column, end_line=end, end_column=end_column)
    return SourceLocation(path=code.co_filename, line=frame.f_lineno)


def location_of_op(op: Any) -> SourceLocation | None:
    """Return the user's line that made `op`, from the stack that TensorFlow keeps with it."""
    location = None
    for entry in reversed(list(op.traceback or ())):
        if _owner(entry.filename) == "audit" and entry.name == "audited":
            return location
        if location is None and _owner(entry.filename) == "user":
            location = SourceLocation(path=entry.filename, line=entry.lineno)
    return None


def is_generated(path: str) -> bool:
    """Whether `path` is code that autograph wrote, whose lines are not the user's."""
    return _AUTOGRAPH in path


@functools.lru_cache(maxsize=4096)
def _position(code: CodeType, instruction: int) -> tuple[int | None, int | None, int | None, int | None]:
    positions = code.co_positions()  # type: ignore[attr-defined,unused-ignore]  # 3.11 and later only
    found = next(itertools.islice(positions, instruction // 2, None), (None, None, None, None))
    return (found[0], found[1], found[2], found[3])


@functools.lru_cache(maxsize=4096)
def is_users(path: str) -> bool:
    """Whether the file `path` is neither TensorFlow's, Keras's, the standard library's nor the audit's own."""
    return _owner(path) == "user"


@functools.lru_cache(maxsize=4096)
def _owner(path: str) -> str:
    if path.startswith(_HERE):
        return "audit"
    if path.startswith("<"):
        return "library"
    for folder, owner in _library_folders():
        if path.startswith(folder):
            return owner
    return "user"


@functools.lru_cache(maxsize=1)
def _library_folders() -> tuple[tuple[str, str], ...]:
    folders = []
    for name in (*_KERAS, "tensorflow", "numpy", "ml_dtypes", "optree"):
        spec = importlib.util.find_spec(name)  # whether it has been imported yet or will be
        owner = "keras" if name in _KERAS else "library"
        folders += [(folder + os.sep, owner) for folder in (spec.submodule_search_locations if spec else None) or ()]
    standard = f"{Path(os.__file__).parent}{os.sep}"
    # Packages are installed below the standard library's folder; they are the user's unless named above.
    folders += [(standard + name, "user") for name in ("site-packages", "dist-packages")]
    folders.append((standard, "library"))
    return tuple(folders)


@functools.lru_cache(maxsize=4096)
def _maker(code: CodeType) -> str:
    path = code.co_filename.replace(os.sep, "/")
    return next(
        (kind for (file, name), kind in _CAST_MAKERS.items() if code.co_name == name and path.endswith(file)), ""
    )


@functools.lru_cache(maxsize=4096)
def _is_backend_op(code: CodeType) -> bool:
    """Whether this is an operation of Keras's TensorFlow backend other than its bare cast and conversion."""
    path = code.co_filename.replace(os.sep, "/")
    return "keras/src/backend/tensorflow/" in path and code.co_name not in ("cast", "convert_to_tensor")
