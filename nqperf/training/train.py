"""Fine-tuning: the loop over batches, its checkpoints and its log."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nqperf.errors import ConfigError
from nqperf.formats.training.state_file import Arrays
from nqperf.model.config import BertConfig
from nqperf.nq.answers import ANSWER_TYPES
from nqperf.nq.example import FloatArray
from nqperf.training.corpus import Batch

if TYPE_CHECKING:
    import keras

    from nqperf.model.bert import BertJoint

# How much each head's loss counts.
HEAD_WEIGHTS = {"start_logits": 1.0, "end_logits": 1.0, "answer_type_logits": 0.5}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How the weights move: AdamW with a linear warm-up and a cosine decay, gradients clipped by their norm.

    The learning rate rises to `learning_rate` in `warmup_steps` steps and reaches 0 after `decay_steps` (None:
    `steps`), so that a run may end before its decay does. With `ema_momentum` the model is the exponential moving
    average of the weights, each step's average that part of the one before (Polyak and Juditsky 1992): about the last 1
    / (1 - momentum) steps count, whatever the learning rate is. `weight_decay` is AdamW's, `clip_norm` the largest norm
    of all gradients together. `precision` is what the network computes in. `seed` draws dropout and new weights; a
    checkpoint is written every `checkpoint_every` steps.
    Raises: ConfigError when a number is out of range, or the decay or the warm-up does not fit the steps.
    """

    steps: int
    decay_steps: int | None = None
    learning_rate: float = 1e-4
    warmup_steps: int = 100
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    ema_momentum: float | None = None
    precision: str = "float32"
    seed: int = 0
    checkpoint_every: int = 200

    def __post_init__(self) -> None:
        for name in ("steps", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected at least 1")
        if self.decay_steps is not None and self.decay_steps < self.steps:
            raise ConfigError(f"decay_steps is {self.decay_steps}; expected at least the {self.steps} steps")
        if not 0 <= self.warmup_steps < self.schedule_steps:
            raise ConfigError(
                f"warmup_steps is {self.warmup_steps}; expected at least 0 and fewer than {self.schedule_steps}"
            )
        if self.ema_momentum is not None and not 0 <= self.ema_momentum < 1:
            raise ConfigError(f"ema_momentum is {self.ema_momentum}; expected at least 0 and below 1")
        for name in ("learning_rate", "clip_norm"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"{name} is {getattr(self, name)}; expected a finite number above 0")

    @property
    def schedule_steps(self) -> int:
        """The step after which the learning rate is 0."""
        return self.steps if self.decay_steps is None else self.decay_steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What one `step` gave: the `loss` over its batch, and its parts before they are weighted, `losses` by name.

    `windows_per_second` is how fast it went.
    """

    step: int
    loss: float
    windows_per_second: float
    losses: Mapping[str, float] = field(default_factory=dict)


class Trainer:
    """A network with its optimizer: the state that a checkpoint holds, and the step that moves it.

    `network` is its configuration; `weights` are the first ones, by tensor name; a window has `seq_length` positions,
    and `config` says how the weights move. What is trained is the network itself, or, by `taught`, what it makes of it:
    see `Distiller`.
    """

    def __init__(
        self,
        network: BertConfig,
        weights: Mapping[str, FloatArray],
        seq_length: int,
        config: TrainingConfig,
        taught: Callable[[BertJoint], keras.Model] | None = None,
    ) -> None:
        import keras

        from nqperf.model.bert import BertJoint
        from nqperf.model.variables import assign_weights, build

        _make_deterministic(config.seed)
        self.config = config
        self.step = 0
        self.network = build(BertJoint(network, config.precision), seq_length)
        assign_weights(self.network, weights)
        self._model: Any = self.network if taught is None else taught(self.network)
        self.optimizer: Any = keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(
                0.0,
                config.schedule_steps - config.warmup_steps,
                warmup_target=config.learning_rate,
                warmup_steps=config.warmup_steps,
            ),
            weight_decay=config.weight_decay,
            global_clipnorm=config.clip_norm,
            use_ema=config.ema_momentum is not None,
            ema_momentum=0.0 if config.ema_momentum is None else config.ema_momentum,
        )
        self.optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        self.optimizer.build(self._model.trainable_variables)
        loss: dict[str, Any] = {"optimizer": self.optimizer, "jit_compile": False}
        if taught is None:
            span_loss = keras.losses.CategoricalCrossentropy(from_logits=True)
            type_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            loss["loss"] = {"start_logits": span_loss, "end_logits": span_loss, "answer_type_logits": type_loss}
            loss["loss_weights"] = HEAD_WEIGHTS
        self._model.compile(**loss)
        if taught is None:
            self._meet_losses(seq_length)

    def _meet_losses(self, seq_length: int) -> None:
        """Let Keras make the variables of its losses now: made within a step, they would have it traced twice."""
        spans = {name: np.zeros((1, seq_length), np.float32) for name in ("start_logits", "end_logits")}
        types = np.zeros((1, len(ANSWER_TYPES)), np.float32)
        targets = {**spans, "answer_type_logits": np.zeros(1, np.int32)}
        self._model.compute_loss(y=targets, y_pred={**spans, "answer_type_logits": types})

    def train(self, batch: Batch) -> dict[str, float]:
        """Take one step with `batch` and return its "loss", and the parts of that by name."""
        self._model.reset_metrics()
        logs = self._model.train_on_batch(*batch, return_dict=True)
        self.step += 1
        return {name: float(value) for name, value in logs.items()}

    def weights(self) -> dict[str, FloatArray]:
        """Return the tensors that training has made, under the names of a model folder: averages where it averages."""
        from nqperf.model.variables import extract_weights

        with self.averaged() as network:
            return extract_weights(network)

    @contextmanager
    def averaged(self) -> Iterator[BertJoint]:
        """Give the network with its averaged weights where training averages; the next step goes on from its own."""
        variables = self._model.trainable_variables if self.optimizer.use_ema and self.step else []
        own = [np.array(variable) for variable in variables]
        if variables:
            self.optimizer.finalize_variable_values(variables)
        try:
            yield self.network
        finally:
            for variable, value in zip(variables, own, strict=True):
                variable.assign(value)

    def state(self) -> Arrays:
        """Return everything that the next steps depend on, but the batches."""
        return {f"{number:04}": np.asarray(variable) for number, variable in enumerate(self._variables())}

    def restore(self, state: Arrays, step: int) -> None:
        """Continue from a `state` after `step` steps.

        Raises: ConfigError when it is of another network or optimizer.
        """
        variables = self._variables()
        shapes = [tuple(state[name].shape) for name in sorted(state)]
        if shapes != [tuple(variable.shape) for variable in variables]:
            raise ConfigError("is the checkpoint of another network or optimizer: name another work folder")
        for name, variable in zip(sorted(state), variables, strict=True):
            variable.assign(state[name])
        self.step = step

    def _variables(self) -> list[Any]:
        # The seeds of dropout are variables of the model too, so that a resumed run draws what an unbroken one would.
        return [*self._model.variables, *self.optimizer.variables]


def run_steps(
    trainer: Trainer,
    batch_at: Callable[[int], Batch],
    *,
    progress: Callable[[Progress], None],
    at_checkpoint: Callable[[Trainer], None],
) -> None:
    """Train `trainer` from its step to the last; `at_checkpoint` comes every `checkpoint_every` steps and at the end.

    `batch_at` gives the batch of a step; `progress` is told of each step.

    Raises: ConfigError when the loss is no finite number.
    """
    config = trainer.config
    while trainer.step < config.steps:
        started = time.perf_counter()
        batch = batch_at(trainer.step)
        losses = trainer.train(batch)
        loss = losses.pop("loss")
        if not math.isfinite(loss):
            raise ConfigError(f"the loss at step {trainer.step} is {loss}: lower the learning rate")
        speed = len(batch[0]["input_ids"]) / (time.perf_counter() - started)
        progress(Progress(step=trainer.step, loss=loss, windows_per_second=speed, losses=losses))
        if trainer.step % config.checkpoint_every == 0 or trainer.step == config.steps:
            at_checkpoint(trainer)


def _make_deterministic(seed: int) -> None:
    import keras

    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
