"""TensorFlow checkpoints, written as TensorFlow 1 does."""


def save_checkpoint(prefix, variables):
    """Write variables by name."""
    import tensorflow as tf

    names = list(variables)
    tensors = [tf.constant(variables[name]) for name in names]
    tf.raw_ops.SaveV2(prefix=str(prefix), tensor_names=names, shape_and_slices=[""] * len(names), tensors=tensors)
