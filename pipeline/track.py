"""Send finished trainings to TensorBoard or MLflow.

It reads what training and evaluation left, so it also works for results that DVC restored from its cache, which no
callback sees, and nothing is trained.
"""

import os
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any

from pipeline.config import Layout, find_model, load_all
from pipeline.io import PARTIAL, InputError, printable, read_json
from pipeline.programs import current_commit, dependency_group, md5, read_lock

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    import pandas as pd

BATCH = 1000  # metrics that one request to MLflow may hold
DESCRIPTION = """\
Send parameters, learning curves, metrics and tags of finished trainings to a tracker. Nothing is trained.

A run is named after the model and its results, such as cnn1-1f0c2a9b. Results that the tracker already has are left
out, so the command can be repeated; a new training or evaluation is a new run.
"""


@dataclass(frozen=True)
class Training:
    """A finished training: settings, the best seed's curves, scores, and where all of it comes from."""

    run_name: str
    parameters: Mapping[str, Any]
    curves: "pd.DataFrame"
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


def add_track(commands: "_SubParsersAction[ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "track",
        help="send finished trainings to TensorBoard or MLflow",
        description=DESCRIPTION,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--to", choices=TRACKERS, required=True, help="the tracker")
    parser.add_argument(
        "--uri",
        help="TensorBoard: a folder (default: runs); MLflow: a server or database (default: $MLFLOW_TRACKING_URI)",
    )
    parser.add_argument("--model", metavar="NAME", nargs="+", help="models (default: all that are trained)")
    parser.set_defaults(command=run_track)


def run_track(arguments: Namespace) -> None:
    """Send each training that the tracker does not have.

    Raises InputError for a model that does not exist or has no results, and for a tracker that is not installed.
    """
    if arguments.model:
        chosen = [(find_model(name)[0], name) for name in arguments.model]
    else:
        everything = [(layout, name) for layout, pipeline in load_all() for name in pipeline.models]
        chosen = [(layout, name) for layout, name in everything if layout.run(name).exists()]
    if not chosen:
        raise InputError("found no trained model; run `dvc repro` or `dvc pull`")
    trainings = [load_training(layout, name) for layout, name in chosen]
    with dependency_group(arguments.to, "--to"):
        for run_name, sent in TRACKERS[arguments.to](trainings, arguments.uri):
            print(f"{run_name}: {'sent' if sent else 'already there'}")


def load_training(layout: Layout, name: str) -> Training:
    """Load a model's last training from its results and from ``dvc.lock``, which has the settings it ran with.

    Raises InputError if a result is absent, or is another than ``dvc.lock`` records.
    """
    import pandas as pd

    lock = layout.folder / "dvc.lock"
    stages = read_lock(lock)
    stage = layout.stage("evaluate", name)
    train, evaluate = (stages.get(f"{kind}@{name}") for kind in ("train", "evaluate"))
    if not train or not evaluate:
        raise InputError(f"{name}: {lock} has no results of it; run `dvc repro {stage}`")
    recorded = {Path(path): found.md5 for path, found in {**train.deps, **train.outs, **evaluate.outs}.items()}
    files = [layout.run(name), layout.curves(name), layout.metrics_of(name)]
    for path in files:
        if not path.exists() or md5(path) != recorded.get(path):
            found = "other content" if path.exists() else "no file"
            raise InputError(f"{path}: found {found}, expected what {lock} records; run `dvc repro {stage}`")
    run = read_json(files[0])
    measured = {key: run[key] for key in ("parameters", "best_epoch", "seconds", "seconds_per_epoch")}
    identity = md5("".join(recorded[path] for path in files).encode())
    return Training(
        run_name=f"{name}-{identity[:8]}",
        parameters=_parameters(train.params),
        curves=pd.read_csv(files[1]).set_index("epoch"),
        metrics=_flatten(read_json(files[2])) | _flatten({"training": measured}),
        tags={
            "model": name,
            "results": identity,
            "commit": current_commit(),
            "data_md5": recorded.get(Path("data/prepared.npz"), ""),
            "seed": str(run["seed"]),
            "machine": f"{run['backend']} on {run['device']} ({run['processor']}, {run['cores']} cores)",
        },
    )


def _parameters(of_files: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return a model's settings, and its recipe's as ``recipe.flip``, from what ``dvc.lock`` has of parameter files."""
    flat: dict[str, Any] = {}
    for sections in of_files.values():
        for key, section in sections.items():
            flat |= _flatten(section, "recipe." if key.startswith("recipes.") else "")
    return flat


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Join nested keys by dots, as DVC does: ``optimizer.learning_rate``."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def to_tensorboard(trainings: Sequence[Training], uri: str | None) -> Iterator[tuple[str, bool]]:
    """Write each training as a folder of `uri`; yield its name and whether it was not there yet.

    A folder appears whole or not at all.
    """
    from tensorboardX import SummaryWriter
    from tensorboardX.summary import hparams

    root = Path(uri or "runs")
    for training in trainings:
        folder = root / training.run_name
        if folder.exists():
            yield training.run_name, False
            continue
        partial = root / f"{PARTIAL}{training.run_name}"
        rmtree(partial, ignore_errors=True)  # of a call that was killed
        with SummaryWriter(str(partial)) as writer:
            for name, column in training.curves.items():
                for epoch, value in column.items():
                    writer.add_scalar(f"curves/{name}", value, epoch)
            for name, value in training.metrics.items():
                writer.add_scalar(name, value, training.metrics["training.best_epoch"])
            rows = "".join(f"| {key} | {value} |\n" for key, value in training.tags.items())
            writer.add_text("tags", f"| tag | value |\n|---|---|\n{rows}")
            known = {
                key: value if isinstance(value, bool | int | float | str) else str(value)
                for key, value in training.parameters.items()
            }
            for summary in hparams(known, dict(training.metrics)):
                writer.file_writer.add_summary(summary)
        partial.rename(folder)
        yield training.run_name, True


def to_mlflow(trainings: Sequence[Training], uri: str | None) -> Iterator[tuple[str, bool]]:
    """Send each training to the MLflow at `uri`; yield its name and whether it was not there yet.

    The experiment is ``$MLFLOW_EXPERIMENT_NAME``, or named after this folder. A run that an earlier call could not
    finish is replaced.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # it would report to its makers that it is used
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param
    from mlflow.exceptions import MlflowException

    uri = uri or os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        raise InputError("--uri: found none, expected a server or database of MLflow, such as http://localhost:5000")
    try:
        client = MlflowClient(uri)
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or Path.cwd().name
        experiment = client.get_experiment_by_name(name)
        number = experiment.experiment_id if experiment else client.create_experiment(name)
        for training in trainings:
            same = client.search_runs([number], f"tags.results = '{training.tags['results']}'")
            if any(run.info.status == "FINISHED" for run in same):
                yield training.run_name, False
                continue
            for unfinished in same:
                client.delete_run(unfinished.info.run_id)
            run = client.create_run(number, run_name=training.run_name, tags=dict(training.tags))
            parameters = [Param(key, str(value)) for key, value in training.parameters.items()]
            client.log_batch(run.info.run_id, params=parameters)
            began = run.info.start_time
            values = [Metric(name, value, began, 0) for name, value in training.metrics.items()]
            values += [
                Metric(str(name), value, began, epoch)
                for name, column in training.curves.items()
                for epoch, value in column.items()
            ]
            for start in range(0, len(values), BATCH):
                client.log_batch(run.info.run_id, metrics=values[start : start + BATCH])
            client.set_terminated(run.info.run_id)
            yield training.run_name, True
    except MlflowException as error:
        raise InputError(f"--uri: {printable(uri)}: {error}") from error


TRACKERS: dict[str, Callable[[Sequence[Training], str | None], Iterator[tuple[str, bool]]]] = {
    "mlflow": to_mlflow,
    "tensorboard": to_tensorboard,
}
