# private hooks are what this package is for; it is the only one that touches them
"""Hooks on branches and loops: where their float types differ, tell it once, bring them together and go on.

`tf.cond`, `tf.switch_case` and autograph's `if` come down to `cond_v2`; `tf.while_loop`, `tf.scan`, `tf.map_fn` and
autograph's loops to `while_v2`. Autograph compares types itself before these do: its two checks are silenced where
only float types differ, so that both kinds of code are told of in the same way.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from nqperf.casts.trace.hooks.listener import Guarded
from nqperf.casts.trace.hooks.replacing import replace


def install(stack: contextlib.ExitStack, guarded: Guarded) -> None:
    """Install the hooks on conditions and loops until `stack` closes; `guarded` is told what they hear."""
    from tensorflow.python.autograph.operators import control_flow
    from tensorflow.python.ops import cond_v2, while_v2

    hooks = _Hooks(guarded)
    replace(stack, cond_v2, "cond_v2", hooks.condition)
    replace(stack, cond_v2, "indexed_case", hooks.case)
    replace(stack, while_v2, "while_loop", hooks.loop)
    replace(stack, control_flow, "verify_single_cond_var", hooks.silenced((1, 2)))
    replace(stack, control_flow, "_verify_single_loop_var", hooks.silenced((2, 4)))


class _Hooks:
    """The replacements: each takes what is genuine and returns what stands in its place."""

    def __init__(self, guarded: Guarded) -> None:
        self.guarded = guarded

    def condition(self, genuine: Callable[..., Any]) -> Callable[..., Any]:
        def cond_v2(pred: Any, true_fn: Any, false_fn: Any, *rest: Any, **options: Any) -> Any:
            def build(branches: Sequence[Callable[..., Any]]) -> Any:
                return genuine(pred, *branches, *rest, **options)

            return self._branching("If", build, (true_fn, false_fn))

        return cond_v2

    def case(self, genuine: Callable[..., Any]) -> Callable[..., Any]:
        def indexed_case(branch_index: Any, branch_fns: Any, *rest: Any, **options: Any) -> Any:
            def build(branches: Sequence[Callable[..., Any]]) -> Any:
                return genuine(branch_index, list(branches), *rest, **options)

            return self._branching("Case", build, tuple(branch_fns))

        return indexed_case

    def _branching(
        self, op_type: str, build: Callable[[Sequence[Callable[..., Any]]], Any], branches: tuple[Any, ...]
    ) -> Any:
        """Build a condition of `branches`; where their float types differ, again with the types brought together."""
        if not self.guarded.here():
            return build(branches)
        results: list[list[Any]] = [[] for _ in branches]
        mark = self.guarded.tell("mark")

        def watched(number: int) -> Callable[..., Any]:
            def branch(*args: Any) -> Any:
                value = branches[number](*args)
                results[number] = _flat(value)
                return value

            return branch

        kept = _lists_held(branches)
        try:
            return build([watched(number) for number in range(len(branches))])
        except (TypeError, ValueError):
            wanted = self.guarded.tell("diverged", op_type, results, mark)
            if wanted is None:
                raise
        self.guarded.tell("undo", mark)
        for held, before in kept:
            held[:] = before
        return build([self._casting(branch, wanted) for branch in branches])

    def loop(self, genuine: Callable[..., Any]) -> Callable[..., Any]:
        def while_loop(cond: Any, body: Any, loop_vars: Any, *rest: Any, **options: Any) -> Any:
            if not self.guarded.here():
                return genuine(cond, body, loop_vars, *rest, **options)
            results: list[Any] = []
            mark = self.guarded.tell("mark")

            def watched(*args: Any) -> Any:
                value = body(*args)
                results[:] = _flat(value)
                return value

            try:
                return genuine(cond, watched, loop_vars, *rest, **options)
            except (TypeError, ValueError):
                wanted = self.guarded.tell("diverged", "While", [_flat(loop_vars), results], mark)
                if wanted is None:
                    raise
            self.guarded.tell("undo", mark)
            start = self._fitted(loop_vars, wanted)
            return genuine(cond, self._casting(body, wanted), start, *rest, **options)

        return while_loop

    def silenced(self, compared: tuple[int, int]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Silence a check of autograph's where the float types of two of its arguments are all that differs."""

        def hook(genuine: Callable[..., Any]) -> Callable[..., Any]:
            def verify(*arguments: Any) -> None:
                try:
                    genuine(*arguments)
                except TypeError:
                    floats = [_is_float(arguments[each]) for each in compared]
                    if not self.guarded.here() or not all(floats):
                        raise

            return verify

        return hook

    def _casting(self, function: Callable[..., Any], wanted: Sequence[str | None]) -> Callable[..., Any]:
        """Return `function` with its flat results cast to the dtypes in `wanted`."""

        def casting(*args: Any) -> Any:
            return self._fitted(function(*args), wanted)

        return casting

    def _fitted(self, value: Any, wanted: Sequence[str | None]) -> Any:
        from tensorflow.python.util import nest

        flat = [
            each if dtype is None or not _is_float(each) else self.guarded.tell("fitted", each, dtype)
            for each, dtype in zip(_flat(value), wanted, strict=True)
        ]
        return nest.pack_sequence_as(value, flat)


def _lists_held(functions: Sequence[Any]) -> list[tuple[list[Any], list[Any]]]:
    """Return the lists that functions close over with what is in them: autograph keeps what a branch returned there."""
    cells = [cell for function in functions for cell in getattr(function, "__closure__", None) or ()]
    held = []
    for cell in cells:
        with contextlib.suppress(ValueError):  # an empty cell
            if type(cell.cell_contents) is list:
                held.append((cell.cell_contents, list(cell.cell_contents)))
    return held


def _flat(value: Any) -> list[Any]:
    from tensorflow.python.util import nest

    return list(nest.flatten(value))


def _is_float(value: Any) -> bool:
    dtype = getattr(value, "dtype", None)
    return isinstance(value, float) or bool(getattr(dtype, "is_floating", False))
