"""Where the ops of one trace are made: the user's line, the layer and its compute dtype, by what was seen so far."""

from __future__ import annotations

import re
from types import FrameType
from typing import Any

from nqperf.casts.trace import frames, hooks
from nqperf.casts.trace.frames import CallSite
from nqperf.casts.trace.records import SourceLocation


class Locations:
    """What is known of places and layers; `births` is id(Keras operation) -> the line that wired it.

    `default_dtype` is the compute dtype where no layer says one.
    """

    def __init__(self, default_dtype: str, births: dict[int, SourceLocation] | None) -> None:
        self.default_dtype = default_dtype
        self.births = births if births is not None else {}
        self.layers: dict[str, None] = {}
        self.model_arguments: dict[int, tuple[Any, Any]] = {}
        self._alive: list[Any] = []  # ids above and below stay those of living objects
        self._scratch: dict[int, bool] = {}

    def here(self) -> CallSite:
        """Return where the caller is being called from, and remember the line that wires an operation first."""
        where = frames.call_site(frames.caller(1))
        for operation, frame in where.wirings:
            if id(operation) not in self.births:
                self.births[id(operation)] = self._mapped(frame)
                self._alive.append(operation)
        return where

    def location(self, where: CallSite) -> SourceLocation | None:
        """Return the user's line of `where`; that which wired a Keras operation, where the line run is nobody's."""
        if where.frame is not None:
            return self._mapped(where.frame)
        return next((self.births[id(each)] for each in where.operations if id(each) in self.births), None)

    def _mapped(self, frame: FrameType) -> SourceLocation:
        location = frames.location_of(frame)
        if frames.is_generated(location.path):
            users = [(path, line) for path, line in hooks.mapped_stack() if frames.is_users(path)]
            if users:
                location = SourceLocation(path=users[-1][0], line=users[-1][1])
        return location

    def layer(self, where: CallSite) -> str:
        """Return the path of the innermost layer of `where`, "" outside of layers."""
        if where.layer is None:
            return ""
        path = getattr(where.layer, "path", None)
        if not path:  # Keras gives a path to layers that it has built; of the others the calls under way tell it
            path = "/".join(layer.name for layer in reversed(where.operations) if hasattr(layer, "compute_dtype"))
        self.layers.setdefault(path)
        return path

    def layer_of_scope(self, name: str) -> str:
        """Return the innermost layer that the name scope `name` belongs to."""
        # TensorFlow numbers a scope that is entered again: sealed_1/PartitionedCall belongs to the layer sealed.
        known = [
            layer
            for layer in self.layers
            if re.match("/".join(rf"{re.escape(part)}(_\d+)?" for part in layer.split("/")) + "/", name)
        ]
        return max(known, key=len, default="")

    def compute_dtype(self, where: CallSite) -> str:
        """Return what the policy of the innermost layer of `where` computes in.

        A graph of layers has no work of its own.
        """
        graph = hasattr(where.layer, "_nodes_by_depth")  # a functional model of either Keras
        return self.default_dtype if where.layer is None or graph else str(where.layer.compute_dtype)

    def remember_model(self, where: CallSite) -> None:
        """Keep what the outermost layer of `where` is called with."""
        if where.outermost is not None and id(where.outermost[0]) not in self.model_arguments:
            layer, arguments, keywords = where.outermost
            self.model_arguments[id(layer)] = (arguments, keywords)
            self._alive.append(layer)

    def is_scratch(self, graph: Any) -> bool:
        """Whether Keras only infers shapes in `graph`: what is built there is thrown away and comes again."""
        if id(graph) not in self._scratch:
            outer = getattr(graph, "outer_graph", None)
            scratch = str(getattr(graph, "name", "")).startswith("scratch_graph")
            self._alive.append(graph)
            self._scratch[id(graph)] = scratch or (outer is not None and self.is_scratch(outer))
        return self._scratch[id(graph)]
