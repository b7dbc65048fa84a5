"""Trials that Optuna draws; each that is not stopped early becomes an experiment."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

import optuna
from optuna.pruners import BasePruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.trial import Trial, TrialState

from pipeline.sweep.execution import SWEEPS, Workplace, in_parallel, run_point
from pipeline.sweep.experiments import Outcome, Pruned, finished, read_outcome
from pipeline.sweep.point import Point
from pipeline.sweep.schema import Choices, HalvingPruning, Integers, LogUniform, MedianPruning, Range, Search, Sweep

SETTINGS = "settings"  # the attribute of a trial that holds them


def search(name: str, sweep: Sweep, commit: str, jobs: int, place: Workplace) -> list[Outcome | Pruned]:
    """Run what is left of the trials of the sweep called `name`; gives all of them in the order they were drawn.

    Trials are kept in ``.dvc/tmp/sweeps/NAME.db``, and a search goes on from there if it is the same and on the same
    commit. With one job, a search that was killed gives the same trials as one that was not.

    Raises InputError if trials fail, when the others have ended.
    """
    assert sweep.search  # noqa: S101  # for mypy: the caller has looked
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    definition = sha256(sweep.model_dump_json(exclude={"search": {"trials"}}).encode()).hexdigest()[:8]
    study = optuna.create_study(
        study_name=f"{name} {definition} {commit}",
        storage=optuna.storages.RDBStorage(f"sqlite:///{SWEEPS / f'{name}.db'}"),
        direction="maximize",
        pruner=_pruner(sweep.search),
        load_if_exists=True,
    )
    for trial in study.get_trials(states=(TrialState.RUNNING,)):  # of a run that was killed: they are drawn again
        study.tell(trial.number, state=TrialState.FAIL)
    trials = _Trials(name, sweep.model, sweep.search, commit, study, place)
    in_parallel(jobs, [trials.run] * (sweep.search.trials - len(_valid(study))), place)
    return [_result(trial, Point(name, sweep.model, trial.user_attrs[SETTINGS]), commit) for trial in _valid(study)]


@dataclass
class _Trials:
    """Draws trials and runs them, by several threads."""

    name: str
    model: str
    search: Search
    commit: str
    study: optuna.Study
    place: Workplace
    drawing: Lock = field(default_factory=Lock)
    running: defaultdict[str, Lock] = field(default_factory=lambda: defaultdict(Lock))

    def run(self) -> None:
        """Run one trial, unless there is an experiment of its settings."""
        trial, point = self._draw()
        watch = _Watch(trial, self.model)
        try:
            with self.running[point.name]:
                if point.name not in finished(self.commit) and not run_point(point, self.commit, self.place, watch):
                    state = TrialState.FAIL if self.place.interrupted.is_set() else TrialState.PRUNED
                    self.study.tell(trial, state=state)
                    print(f"{point.name}: pruned after epoch {watch.epoch}", flush=True)
                    return
            outcome = read_outcome(point, self.commit)
            watch.report_rest(outcome.curves["val_accuracy"].tolist())
            self.study.tell(trial, outcome.validation_accuracy)
            print(f"{point.name}: validation accuracy {outcome.validation_accuracy:.2%}", flush=True)
        except Exception:
            self.study.tell(trial, state=TrialState.FAIL)
            raise

    def _draw(self) -> tuple[Trial, Point]:
        """The seed is that of the trial's place among the valid, so that a resumed search draws what it would have."""
        with self.drawing:
            place = len(_valid(self.study)) + len(self.study.get_trials(states=(TrialState.RUNNING,)))
            self.study.sampler = optuna.samplers.TPESampler(seed=(self.search.seed + place) % 2**32)
            trial = self.study.ask()
            settings = {key: _suggest(trial, key, space) for key, space in self.search.settings.items()}
            trial.set_user_attr(SETTINGS, settings)
        return trial, Point(self.name, self.model, settings)


class _Watch:
    """Reports the accuracy of each epoch that DVCLive has written to Optuna, and asks whether to stop.

    Of a model with several seeds it is the first that is trained whose epochs count.
    """

    def __init__(self, trial: Trial, model: str) -> None:
        self.trial = trial
        self.model = model
        self.live: Path | None = None
        self.epoch = 0

    def __call__(self, folder: Path) -> bool:
        if self.live is None:
            written = (folder / "dvclive" / self.model).glob("**/plots/metrics/validation/accuracy.tsv")
            self.live = next(written, None)
        for accuracy in _accuracies(self.live)[self.epoch :] if self.live else ():
            self.epoch += 1
            self.trial.report(accuracy, self.epoch)
            if self.trial.should_prune():
                return True
        return False

    def report_rest(self, accuracies: Sequence[float]) -> None:
        """Report what was too quick to be seen, or came from DVC's cache: the pruner compares others with it."""
        for epoch, accuracy in enumerate(accuracies[self.epoch :], self.epoch + 1):
            self.trial.report(accuracy, epoch)


def _accuracies(path: Path) -> list[float]:
    """The last column of a table whose last line may still be in writing."""
    lines = path.read_text().split("\n")[1:-1]
    return [float(line.rpartition("\t")[2]) for line in lines]


def _suggest(trial: Trial, key: str, space: Range) -> Any:
    if isinstance(space, Choices):
        return json.loads(trial.suggest_categorical(key, [json.dumps(choice) for choice in space.choices]))
    ((_, (low, high)),) = space
    if isinstance(space, Integers):
        return trial.suggest_int(key, low, high)
    return trial.suggest_float(key, low, high, log=isinstance(space, LogUniform))


def _pruner(search: Search) -> BasePruner:
    pruning = search.pruning
    if isinstance(pruning, MedianPruning):
        return MedianPruner(n_startup_trials=pruning.startup_trials, n_warmup_steps=pruning.warmup_epochs)
    if isinstance(pruning, HalvingPruning):
        return SuccessiveHalvingPruner(min_resource=pruning.first, reduction_factor=pruning.factor)
    return NopPruner()


def _valid(study: optuna.Study) -> Sequence[Any]:
    """The trials that ended as they should, in the order they were drawn."""
    return study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))


def _result(trial: Any, point: Point, commit: str) -> Outcome | Pruned:
    if trial.state == TrialState.PRUNED:
        return Pruned(point, trial.last_step)
    return read_outcome(point, commit)
