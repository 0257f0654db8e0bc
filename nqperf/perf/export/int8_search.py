"""Which products must stay in float32 for a network in 8 bits to keep its answers: searched by delta debugging."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

from nqperf.casts.bisect import ddmin
from nqperf.engines.registry import find_engine
from nqperf.errors import ConfigError, ParityError
from nqperf.formats.weights.model_folder import OpenedModel
from nqperf.model.config import BertConfig
from nqperf.model.onnx.modules import kernel_modules
from nqperf.nq.example import Example
from nqperf.nq.logits import concatenate
from nqperf.perf.suite.parity import Answers, Task, agreement, check_parity, score_predictions
from nqperf.perf.suite.task import make_task
from nqperf.records.results import Agreement

# Pages of the generated world that no score is told of: what is chosen on them can be judged on others.
_EXAMPLES, _SEED, _MEDIAN_TOKENS = 120, 31, 450
_WINDOWS = 400
_BATCH = 4
# Besides the limits of the row's tolerance.
MOST_CHANGED = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Int8Search:
    """The modules to leave in float32, `wide`, the `agreement` with them, and how many sets were `tried`.

    `reduced_range` tells whether weights have 7 bits, which no CPU overflows.
    """

    wide: tuple[str, ...]
    reduced_range: bool
    agreement: Agreement
    tried: int


def search_wide(folder: OpenedModel, examples: Iterable[Example] | None = None, *, max_seq_length: int) -> Int8Search:
    """Return a smallest set of a network's parts that keeps its answers to `examples` (generated pages when None).

    `folder` is the opened model; windows have `max_seq_length` positions. A part is a block's attention, or one of its
    two feed-forward products; without any one of the set, the limits of 8 bits are broken or more than MOST_CHANGED of
    the predictions change. Heads stay in float32.

    Raises: MissingExtraError without ONNX Runtime, and what `make_task` raises.
    """
    row, weights = find_engine("onnxruntime"), folder.read_weights()
    row.require()
    pages = _pages() if examples is None else examples
    task = make_task(folder, pages, max_seq_length=max_seq_length, windows=_WINDOWS)

    def answers(settings: dict[str, object]) -> tuple[Answers, bool]:
        engine = row.load(folder.config, weights, {"batch_size": _BATCH, **settings}, seq_length=max_seq_length)
        found = score_predictions(task, concatenate(list(engine.predict([task.features]))))
        return found, bool(engine.state().own["reduced_range"])

    return _searched(folder.config, task, answers)


def _searched(
    config: BertConfig, task: Task, answers: Callable[[dict[str, object]], tuple[Answers, bool]]
) -> Int8Search:
    exact, reduced = answers({})
    heads, parts = parts_of(config)
    found: dict[frozenset[str], Agreement] = {}

    def agreed(chosen: tuple[str, ...]) -> Agreement:
        nonlocal reduced
        key = frozenset(chosen)
        if key not in found:
            wide = (*heads, *(module for part in chosen for module in parts[part]))
            narrow, reduced = answers({"precision": "int8", "wide": wide, "reduced_range": True})
            found[key] = agreement(task, exact, narrow)
        return found[key]

    if not _keeps(agreed(tuple(parts))):
        raise ConfigError("the answers differ even with every block in float32: the heads are no part of the search")
    chosen = ddmin(tuple(parts), lambda some: _keeps(agreed(some)))
    wide = tuple(sorted({*heads, *(module for part in chosen for module in parts[part])}))
    return Int8Search(wide=wide, reduced_range=reduced, agreement=agreed(chosen), tried=len(found))


def parts_of(config: BertConfig) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Return the modules of the network `config` outside of the blocks, and those of each part of a block by name."""
    outside, parts = [], dict[str, tuple[str, ...]]()
    for module in kernel_modules(config):
        if not module.startswith("blocks."):
            outside.append(module)
            continue
        part = ".".join(module.split(".")[:3])  # blocks.0.attention, blocks.0.intermediate, blocks.0.output_dense
        parts[part] = (*parts.get(part, ()), module)
    return tuple(outside), parts


def _keeps(agreed: Agreement) -> bool:
    if agreed.changed > MOST_CHANGED * agreed.compared:
        return False
    try:
        check_parity(agreed, "eight_bit")
    except ParityError:
        return False
    return True


def _pages() -> Iterable[Example]:
    from nqperf.world.generate import generate

    made = generate(examples=_EXAMPLES, seed=_SEED, split="train", median_tokens=_MEDIAN_TOKENS)
    return (one.example for one in islice(made, _EXAMPLES))
