"""Every private TensorFlow and Keras hook of the audit: one thread's, and removed whatever happens.

Tried on TensorFlow 2.20-2.21, Keras 3.10-3.15 and tf_keras 2.20-2.21. `operations` hears ops, conversions and
promotions; `control_flow` branches and loops; `functions` calls of tf.functions, which it traces inline; `variables`
gives variables a handle and no value; `constructions` hears layers being made; `queries` asks what TensorFlow knows and
hooks nothing.
"""

from nqperf.casts.trace.hooks.constructions import constructions
from nqperf.casts.trace.hooks.listener import Listener, Repair, UnsupportedError, unsupported
from nqperf.casts.trace.hooks.listening import listening
from nqperf.casts.trace.hooks.queries import (
    allowed_types,
    autographed,
    autographing,
    current_graph,
    has_kernel,
    mapped_stack,
    same_type_arguments,
    skip_shape_inference,
)

__all__ = [
    "Listener",
    "Repair",
    "UnsupportedError",
    "allowed_types",
    "autographed",
    "autographing",
    "constructions",
    "current_graph",
    "has_kernel",
    "listening",
    "mapped_stack",
    "same_type_arguments",
    "skip_shape_inference",
    "unsupported",
]
