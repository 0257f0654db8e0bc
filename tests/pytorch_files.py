"""PyTorch's files of weights, written without PyTorch: the archive of today, and the stream of pickles before 1.6."""

import contextlib
import io
import pickle
import sys
import types
import zipfile
from collections import OrderedDict

import numpy as np

_CLASSES = {"float32": "FloatStorage", "float16": "HalfStorage", "float64": "DoubleStorage", "int64": "LongStorage"}


@contextlib.contextmanager
def _modules_of_torch():
    """Let a pickle name PyTorch's classes and functions, which are not here."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in _CLASSES.values():
        storage = type(name, (), {"__module__": "torch", "__qualname__": name})
        setattr(torch, name, storage)

    def _rebuild_tensor_v2(*arguments):
        raise NotImplementedError

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    kept = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules |= {"torch": torch, "torch._utils": utils}
    try:
        yield torch, utils
    finally:
        for name, module in kept.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


class _Tensor:
    def __init__(self, key, values, utils):
        self.key, self.values, self.utils = key, values, utils

    def __reduce__(self):
        base = _base(self.values)
        steps = tuple(step // self.values.itemsize for step in self.values.strides)
        storage = _Storage(self.key, base)
        return self.utils._rebuild_tensor_v2, (storage, 0, self.values.shape, steps, False, OrderedDict())


def _base(values):
    """Return the values that an array is a view of: one value where it repeats it, else all in the order of memory."""
    if 0 in values.strides:
        return values[:1]
    return values if values.flags.c_contiguous else values.T


class _Storage:
    def __init__(self, key, base):
        self.key, self.base = key, base


class _Pickler(pickle.Pickler):
    def __init__(self, file, torch, *, stream):
        super().__init__(file, protocol=2)
        self._torch, self._stream = torch, stream

    def persistent_id(self, value):
        if not isinstance(value, _Storage):
            return None
        kind = getattr(self._torch, _CLASSES[value.base.dtype.name])
        return ("storage", kind, value.key, "cpu", value.base.size, *([None] if self._stream else []))


def save_archive(path, tensors, *, more=None, root="archive"):
    """Write as `torch.save(state_dict)` does; `more` are entries that are no tensors."""
    content = io.BytesIO()
    with _modules_of_torch() as (torch, utils):
        state = OrderedDict((name, _Tensor(str(n), values, utils)) for n, (name, values) in enumerate(tensors.items()))
        _Pickler(content, torch, stream=False).dump(OrderedDict({**state, **(more or {})}))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(f"{root}/data.pkl", content.getvalue())
        archive.writestr(f"{root}/byteorder", "little")
        for number, values in enumerate(tensors.values()):
            base = _base(values)
            archive.writestr(f"{root}/data/{number}", np.ascontiguousarray(base).tobytes())
        archive.writestr(f"{root}/version", "3\n")


def save_stream(path, tensors):
    """Write as `torch.save` did before 1.6: pickles one after the other, then the values."""
    with _modules_of_torch() as (torch, utils), path.open("wb") as file:
        for head in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}):
            pickle.dump(head, file, protocol=2)
        state = OrderedDict((name, _Tensor(str(n), values, utils)) for n, (name, values) in enumerate(tensors.items()))
        _Pickler(file, torch, stream=True).dump(state)
        pickle.dump([str(number) for number in range(len(tensors))], file, protocol=2)
        for values in tensors.values():
            base = _base(values)
            file.write(base.size.to_bytes(8, "little") + np.ascontiguousarray(base).tobytes())
