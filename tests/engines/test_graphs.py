"""What is counted is the first run that was asked about, whatever else the process traced before."""

import pytest
import tensorflow as tf

from nqperf.engines.tensorflow.graphs import count_nodes, graphs_of


def products(times):
    """Return a function of so many matrix products that was never run."""

    def chain(x):
        for _ in range(times):
            x = tf.linalg.matmul(x, x + 1.0)
        return x

    function, argument = tf.function(chain), tf.ones((4, 4))
    return lambda: function(argument)


def counted(run):
    return len(count_nodes(graphs_of(run)).products)


def test_functions_of_others_before_and_between_are_not_counted():
    products(3)()
    assert counted(products(2)) == 2
    products(5)()
    assert counted(products(1)) == 1


def test_a_trace_that_somebody_left_is_not_counted():
    tf.summary.trace_on(graph=True, profiler=False)
    products(4)()
    tf.summary.trace_off()  # TensorFlow records on behind it
    products(5)()
    assert counted(products(2)) == 2


def test_a_first_run_that_fails_leaves_nothing():
    @tf.function
    def failing(x):
        x = tf.linalg.matmul(x, x)
        with tf.control_dependencies([tf.debugging.assert_less(tf.reduce_sum(x), 0.0)]):
            return tf.linalg.matmul(x, x)

    with pytest.raises(tf.errors.InvalidArgumentError):
        graphs_of(lambda: failing(tf.ones((4, 4))))
    assert counted(products(1)) == 1


def test_what_ran_before_shows_no_graph_again():
    run = products(2)
    assert counted(run) == 2
    assert counted(run) == 0
