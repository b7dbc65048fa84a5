"""Test-time augmentation."""

import keras
from keras import layers, ops


def mirror_averaged(model: keras.Model) -> keras.Model:
    """A model that answers the mean of what `model`, whose weights it shares, answers for image and mirror image.

    It is made of Keras' own layers and operations, so that it is saved and exported as any other.
    """
    images = keras.Input(model.input_shape[1:])
    both = [model(images), model(ops.flip(images, axis=2))]
    return keras.Model(images, layers.Average(dtype="float32")(both))
