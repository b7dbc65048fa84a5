"""Models whose predictions are sure without a training."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.config import load_config
from pipeline.data.dataset import Normalization

MODELS = load_config().models
LOGITS = 16  # the largest difference of an image's

Images = npt.NDArray[np.uint8]


def sure_model(name: str, images: Images) -> Any:
    """The untrained model, its last weights scaled until its answers are as sure as a trained model's.

    Untrained, most models answer near 0.1 whatever they see. The logs of an image's probabilities lie as far apart as
    its logits, which grow with the last weights. Batch normalization takes the statistics of these images.
    """
    import keras

    from pipeline.training.model import build_network, with_normalization
    from pipeline.training.saving import predict

    keras.utils.set_random_seed(0)
    network = build_network(MODELS[name].architecture, (28, 28, 1), 10, MODELS[name].options)
    model = with_normalization(network, Normalization(0.0, 255.0))
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(images, training=True)
    if MODELS[name].options.get("rbf_gamma"):
        scale = 20.0  # centres start within 0.05, and the tanh units they are compared with within 1
    else:
        scale = LOGITS / np.ptp(np.log(predict(model, images)), axis=1).max()
    last = network.layers[-1]
    last.set_weights([scale * weights for weights in last.get_weights()])
    return model
