"""What TensorFlow checkpoints call a network's variables: Google's of BERT and of ALBERT, and the thesis's."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from nqperf.model.config import BertConfig
from nqperf.model.tensors import Shape, Tensor, tensors_of

OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
ALBERT_GROUPS = "bert/encoder/transformer/"
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointNames:
    """One way of naming a network's variables.

    Fields: `source` says whose it is; `name_of` gives the checkpoint's name of one of our tensors; `bookkeeping`
    matches what training leaves behind, whatever it is beside. `headless` checkpoints may lack the joint heads.
    """

    source: str
    name_of: Callable[[str], str]
    bookkeeping: re.Pattern[str]
    headless: bool = False

    def shapes(self, config: BertConfig) -> dict[str, Shape]:
        """Return the shape of every variable that the network `config` needs, under the checkpoint's name."""
        return {
            self.name_of(tensor.name): tensor.shape[::-1] if is_kernel(tensor) else tensor.shape
            for tensor in tensors_of(config)
        }


def is_kernel(tensor: Tensor) -> bool:
    """Tell whether TensorFlow keeps `tensor` as [in, out]; the two heads are [out, in] there too."""
    return tensor.transposed and tensor.name not in HEADS


def google_name(tensor: str) -> str:
    """Return what Google's TF1 code calls our `tensor`."""
    if tensor in HEADS:
        return HEADS[tensor]
    name = re.sub(r"(_embeddings)\.weight$", r"\1", tensor)
    name = re.sub(r"(LayerNorm(?:_1)?)\.weight$", r"\1.gamma", name)
    name = re.sub(r"(LayerNorm(?:_1)?)\.bias$", r"\1.beta", name)
    name = re.sub(r"\.weight$", ".kernel", name)
    return re.sub(r"layer\.(\d+)", r"layer_\1", name).replace(".", "/")


HEADS = {
    "span.weight": "cls/nq/output_weights",
    "span.bias": "cls/nq/output_bias",
    "answer_type.weight": "answer_type_output_weights",
    "answer_type.bias": "answer_type_output_bias",
}
# Our module names in an inner group of Google's ALBERT. TensorFlow numbered the scopes that were opened twice.
_ALBERT_MODULES = {
    "attention.query": "attention_1.self.query",
    "attention.key": "attention_1.self.key",
    "attention.value": "attention_1.self.value",
    "attention.dense": "attention_1.output.dense",
    "attention.LayerNorm": "LayerNorm",
    "ffn": "ffn_1.intermediate.dense",
    "ffn_output": "ffn_1.intermediate.output.dense",
    "full_layer_layer_norm": "LayerNorm_1",
}


def albert_name(tensor: str) -> str:
    """Return what Google's TF1 code calls our `tensor` of ALBERT."""
    name = re.sub(r"^albert\.", "bert.", tensor)
    name = re.sub(r"^bert\.pooler\.", "bert.pooler.dense.", name)
    inner = re.match(r"bert\.encoder\.albert_layer_groups\.(\d+)\.albert_layers\.(\d+)\.(.+)\.(\w+)$", name)
    if inner:
        group, number, module, role = inner.groups()
        place = f"bert.encoder.transformer.group_{group}.inner_group_{number}"
        name = f"{place}.{_ALBERT_MODULES[module]}.{role}"
    return google_name(name)


# Our module names in the thesis's model, an early form of TensorFlow's official BERT.
_THESIS_MODULES = {
    "bert.embeddings.word_embeddings.weight": "layer_with_weights-0/embedding_lookup/embeddings",
    "bert.embeddings.position_embeddings.weight": "layer_with_weights-0/embedding_postprocessor/position_embeddings",
    "bert.embeddings.token_type_embeddings.weight": "layer_with_weights-0/embedding_postprocessor/type_embeddings",
    "bert.embeddings.LayerNorm": "layer_with_weights-0/embedding_postprocessor/output_layer_norm",
    "attention.self.query": "attention_layer/query_dense",
    "attention.self.key": "attention_layer/key_dense",
    "attention.self.value": "attention_layer/value_dense",
    "attention.output.dense": "attention_output_dense",
    "attention.output.LayerNorm": "attention_layer_norm",
    "intermediate.dense": "intermediate_dense",
    "output.dense": "output_dense",
    "output.LayerNorm": "output_layer_norm",
    "bert.pooler.dense": "layer_with_weights-0/pooler_transform",
    "span": "layer_with_weights-1",
    "answer_type": "layer_with_weights-2",
}


def thesis_name(tensor: str) -> str:
    """Return what the thesis's object checkpoint calls our `tensor`."""
    if tensor in _THESIS_MODULES:
        return f"model/{_THESIS_MODULES[tensor]}{_VALUE}"
    module, _, role = tensor.rpartition(".")
    layer = re.match(r"bert\.encoder\.layer\.(\d+)\.", module)
    place = f"layer_with_weights-0/encoder/layers/{layer[1]}/" if layer else ""
    name = place + _THESIS_MODULES[module[layer.end() :] if layer else module]
    roles = (
        {"weight": "gamma", "bias": "beta"} if module.endswith("LayerNorm") else {"weight": "kernel", "bias": "bias"}
    )
    return f"model/{name}/{roles[role]}{_VALUE}"


# What optimizers, loss scaling and stopping leave: global_step, Adam's and LAMB's moments, good_steps, STOP, ...
_LEFT_BY_TRAINING = re.compile(
    r"(global_step|beta[12]_power|(current_)?loss_scale|(good|bad)_steps|signal_early_stopping)(/|$)"
    r"|.*/(adam|lamb|lars|adafactor|momentum|rmsprop|nadam|ftrl|adagrad|adadelta)\w*$",
    re.IGNORECASE,
)
GOOGLE = CheckpointNames(
    source="Google's TF1 checkpoint", name_of=google_name, bookkeeping=_LEFT_BY_TRAINING, headless=True
)
# A BERT Joint of ALBERT's would be named as Google's is.
ALBERT = CheckpointNames(
    source="Google's ALBERT checkpoint (TF1)", name_of=albert_name, bookkeeping=_LEFT_BY_TRAINING, headless=True
)
THESIS = CheckpointNames(
    source="the thesis's TF2 object checkpoint",
    name_of=thesis_name,
    bookkeeping=re.compile(
        rf"{OBJECT_GRAPH}$|save_counter/|step/|(model/)?(optimizer|keras_api)/|.*/\.OPTIMIZER_SLOT/"
    ),
)
