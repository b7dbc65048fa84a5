"""How far ONNX Runtime's probabilities are from Keras', for each model and student that is kept, on all test images."""

from pathlib import Path

import numpy as np
import onnxruntime

from pipeline.artifacts import read_json, read_npz
from pipeline.evaluation.kinds import kind_of
from pipeline.params.reading import read_params

BATCH_SIZE = 1000


def main() -> None:
    """Print the largest difference, and how many images are predicted otherwise."""
    params = read_params()
    pixels = read_npz(Path("data/prepared.npz"))["test_images"].astype(np.float32)
    batches = range(0, len(pixels), BATCH_SIZE)
    for name, model in params.trained.items():
        kept = model.seeds.index(read_json(Path(f"data/runs/{name}.json"))["seed"])
        session = onnxruntime.InferenceSession(f"data/models/{name}/model.onnx")
        answers = [session.run(None, {"pixels": pixels[start : start + BATCH_SIZE]})[0] for start in batches]
        onnx = np.concatenate(answers)
        keras = read_npz(kind_of(params, name).predictions(name))["test_probabilities"][kept]
        otherwise = int((onnx.argmax(axis=1) != keras.argmax(axis=1)).sum())
        print(f"{name}: {np.abs(onnx - keras).max():.1e}, {otherwise} images predicted otherwise")


if __name__ == "__main__":
    main()
