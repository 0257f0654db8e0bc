"""Distillation: a student learns to give its teacher's answers, and to come to them as the teacher does.

Source: Sanh et al. 2019 (DistilBERT), Jiao et al. 2020 (TinyBERT).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nqperf.errors import ConfigError
from nqperf.formats.weights.model_folder import OpenedModel
from nqperf.formats.weights.tokenizer_file import TokenizerFile, same_vocabulary
from nqperf.model.config import BertConfig
from nqperf.nq.example import FloatArray, IntArray
from nqperf.training.distillation_config import DistillationConfig
from nqperf.training.pruning import inner_moments, pruned
from nqperf.training.student import StudentShape, keep, states_basis, student_weights, taught_blocks

if TYPE_CHECKING:
    from nqperf.training.distiller import Teacher


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What a student is to learn: the `teacher`'s model folder, the `shape` of a student made from it, its losses.

    `config` says which losses count, and how much.

    A training that starts from a model of its own, which then is the student, has no use for the shape.
    """

    teacher: Path
    shape: StudentShape = field(default_factory=StudentShape)
    config: DistillationConfig = field(default_factory=DistillationConfig)


def require_same_input(teacher: OpenedModel, file: TokenizerFile, student: BertConfig) -> None:
    """Raise unless the `student` reads what its `teacher` reads, for they are given the same windows.

    `file` is the student's tokenizer.

    Raises: ConfigError for another vocabulary, or another number of positions.
    """
    own = teacher.require_tokenizer()
    if not same_vocabulary(own, file) or teacher.config.vocab_size != student.vocab_size:
        raise ConfigError(
            f"the student's vocabulary ({file.path}, {student.vocab_size} pieces) is not its teacher's ({own.path}, "
            f"{teacher.config.vocab_size} pieces); expected the same: leave --tokenizer out, or name another --start"
        )
    if teacher.config.positions != student.positions:
        raise ConfigError(
            f"the student has {student.positions} positions, its teacher {teacher.config.positions}; expected as many: "
            "start from another model, or from none"
        )


def read_teacher(folder: OpenedModel, precision: str, seq_length: int) -> Teacher:
    """Return the teacher in the model folder `folder`, which runs in the training's `precision`.

    It is given windows of `seq_length` positions.

    Raises: FormatError for weights that cannot be read.
    """
    from nqperf.model.bert import BertJoint
    from nqperf.model.variables import assign_weights, build
    from nqperf.training.distiller import Teacher

    network = build(BertJoint(folder.config, precision), seq_length)
    assign_weights(network, folder.read_weights())
    network.trainable = False
    return Teacher(network=network)


def make_student(
    teacher: Teacher, weights: Mapping[str, FloatArray], config: BertConfig, batches: Iterable[Mapping[str, IntArray]]
) -> tuple[dict[str, FloatArray], Teacher]:
    """Return the first weights of a student of configuration `config`, and `teacher` with what the student has of it.

    `weights` are the teacher's, by tensor name. The `batches` are those whose states a narrower student is to hold the
    most of, and on which fewer heads and units are to give what the teacher's do.
    """
    taught, batches, heads = teacher.network.config, list(batches), None
    fewer = config.num_attention_heads, config.intermediate_size
    if fewer != (taught.num_attention_heads, taught.intermediate_size):
        blocks = taught_blocks(config, taught)
        moments = inner_moments(teacher.network, batches, set(blocks))
        taught, weights, kept_heads = pruned(taught, weights, moments, heads=fewer[0], units=fewer[1])
        heads = tuple(kept_heads[blocks[number]] for number in config.block_order)
    kept = None
    if config.hidden_size != taught.hidden_size:
        kept = keep(taught, weights, config.hidden_size, states_basis(teacher.network, batches, config.hidden_size))
    learnt = replace(teacher, basis=kept.basis if kept else None, heads=heads)
    return student_weights(taught, weights, config, kept), learnt
