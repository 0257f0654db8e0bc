"""Edits that are easy to get wrong: no self, several lines, a keyword, three conflicts in one statement."""
import tensorflow as tf
keras = tf.keras
TABLE = tf.reshape(tf.range(8.0), (8,))
def scaled(values):
    return values * TABLE  # EXPECT: CAST001
class Layered(keras.layers.Layer):
    def __init__(self, how): super().__init__(); self.how = how
    def call(self, x):
        if self.how == "helper":
            return scaled(x)
        if self.how == "lines":
            return (
                x  # EXPECT: CAST001
                + tf.ones(
                    (8,),
                )
            )
        if self.how == "keyword":
            return tf.add(x=x, y=tf.ones((8,)))  # EXPECT: CAST001
        if self.how == "three":
            a, b = tf.ones((8,)), tf.ones((8,))
            return tf.concat([x * a, x - b, x / TABLE[1]], -1)  # EXPECT: CAST001
        x += TABLE  # EXPECT: CAST001
        return x
def _m(how):
    i = keras.Input((8,), batch_size=2); return keras.Model(i, Layered(how)(keras.layers.Dense(8)(i)))
def build_helper(): return _m("helper")
def build_lines(): return _m("lines")
def build_keyword(): return _m("keyword")
def build_three(): return _m("three")
def build_augmented(): return _m("augmented")
