"""What of a graph would leave a GPU: nodes without a kernel there, and values that cross to or from the host's memory.

TensorFlow's registry of kernels says both on any machine, for its wheels bring those for GPUs; Grappler takes a virtual
cluster for a real one.
"""

from collections import defaultdict

GPU = "GPU"
HOST = "host"


def optimised(concrete):
    """Return the graph of a concrete function as Grappler, at TensorFlow's defaults, rewrites it for a GPU."""
    import tensorflow as tf
    from tensorflow.core.protobuf import config_pb2, device_properties_pb2
    from tensorflow.python.grappler import cluster, tf_optimizer

    graph = concrete.graph
    meta = tf.compat.v1.train.export_meta_graph(graph=graph, graph_def=graph.as_graph_def(add_shapes=True))
    meta.collection_def["train_op"].node_list.value.extend(output.name for output in graph.outputs)
    properties = device_properties_pb2.DeviceProperties(
        type=GPU, vendor="NVIDIA", frequency=1700, num_cores=108, memory_size=1 << 35, bandwidth=1 << 30
    )
    properties.environment.update(architecture="8.0", cuda="12050", cudnn="90000")
    device = device_properties_pb2.NamedDevice(
        name="/job:localhost/replica:0/task:0/device:GPU:0", properties=properties
    )
    virtual = cluster.Cluster(devices=[device])
    return tf_optimizer.OptimizeGraph(config_pb2.ConfigProto(), meta, verbose=False, cluster=virtual)


def crossings(graph):
    """Return a line for each node of a GraphDef that has no kernel for a GPU, and each value that crosses the bus."""
    nodes, found = {node.name: node for node in graph.node}, []
    places = {node.name: memory_of(node) for node in graph.node}
    for node in graph.node:
        if places[node.name] is None:
            found.append(f"{node.op} {node.name}: no kernel for a GPU")
            continue
        wanted = iter(places[node.name][0])
        for text in node.input:
            if text.startswith("^"):
                continue
            name, _, number = text.partition(":")
            want, given = next(wanted), places[name]
            if given is not None and given[1][int(number or 0)] != want:
                found.append(f"{nodes[name].op} {name} -> {node.op} {node.name}")
    return found


def memory_of(node):
    """Return where a node's inputs and its outputs lie on a GPU, "host" or "GPU" each; None where it has no kernel."""
    from tensorflow.python.framework import op_def_registry

    kernel = kernel_of("_Arg" if node.op == "Placeholder" else node.op, node)
    if kernel is None:
        return None
    operation, on_host = op_def_registry.get(node.op), set(kernel.host_memory_arg)
    return tuple(
        [HOST if argument.name in on_host else GPU for argument in side for _ in range(count_of(argument, node))]
        for side in (operation.input_arg, operation.output_arg)
    )


def kernel_of(operation, node):
    """Return the kernel that TensorFlow would take for a node on a GPU."""
    from tensorflow.python.framework import kernels

    by_device = defaultdict(list)
    for kernel in kernels.get_registered_kernels_for_op(operation).kernel:
        attributes = {"T": node.attr["dtype"].type} if operation == "_Arg" else {}
        fits = all(
            attributes.get(one.name, node.attr[one.name].type) in one.allowed_values.list.type
            for one in kernel.constraint
        )
        if fits and not kernel.label:
            by_device[kernel.device_type].append(kernel)
    return next((by_device[kind][0] for kind in (GPU, "DEFAULT") if by_device[kind]), None)


def count_of(argument, node):
    """Return how many values of a node an argument of its operation stands for."""
    if argument.number_attr:
        return node.attr[argument.number_attr].i
    return len(node.attr[argument.type_list_attr].list.type) if argument.type_list_attr else 1
