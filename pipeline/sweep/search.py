"""Search settings by Optuna. Each trial that is not stopped early becomes an experiment."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

import optuna
from optuna.pruners import BasePruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.trial import TrialState

from pipeline.sweep.config import Choices, HalvingPruning, Integers, LogUniform, MedianPruning, Range, Search
from pipeline.sweep.trials import PrunedTrial, Trial, TrialResult, finished, read_result
from pipeline.sweep.workspace import SWEEPS, Workspace, run_parallel, run_trial

SETTINGS_ATTRIBUTE = "settings"  # of a trial in Optuna's storage


def run_search(
    template: Trial, search: Search, commit: str, jobs: int, workspace: Workspace
) -> list[TrialResult | PrunedTrial]:
    """Run the trials that are left of a search.

    Trials are kept in ``.dvc/tmp/sweeps/NAME.db``. A search resumes from there if it is the same and on the same
    commit. With one job, a killed search samples the same trials as an uninterrupted one.

    Args:
        template: The model without settings, from which all trials are made.
        search: The search.
        commit: The commit whose settings it changes.
        jobs: How many trials run at a time.
        workspace: Where they run.

    Returns:
        All trials in the order they were sampled.

    Raises:
        InputError: Some trials failed. Raised when the others have ended.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    definition = sha256(f"{template.model} {search.model_dump_json(exclude={'trials'})}".encode()).hexdigest()[:8]
    study = optuna.create_study(
        study_name=f"{template.sweep} {definition} {commit}",
        storage=optuna.storages.RDBStorage(f"sqlite:///{SWEEPS / f'{template.sweep}.db'}"),
        direction="maximize",
        pruner=_pruner(search),
        load_if_exists=True,
    )
    for trial in study.get_trials(states=(TrialState.RUNNING,)):  # of a killed run: they are sampled again
        study.tell(trial.number, state=TrialState.FAIL)
    runner = _Runner(template, search, commit, study, workspace)
    run_parallel(jobs, [runner.run] * (search.trials - len(_valid(study))), workspace)
    return [runner.result(trial) for trial in _valid(study)]


@dataclass
class _Runner:
    """Samples trials and runs them, in several threads."""

    template: Trial
    search: Search
    commit: str
    study: optuna.Study
    workspace: Workspace
    sampling: Lock = field(default_factory=Lock)
    running: defaultdict[str, Lock] = field(default_factory=lambda: defaultdict(Lock))

    def run(self) -> None:
        """Run one trial, unless there is an experiment with its settings."""
        sampled, trial = self._sample()
        watch = _Watch(sampled, trial.model)
        try:
            with self.running[trial.name]:
                done = trial.name in finished(self.commit)
                if not done and not run_trial(trial, self.commit, self.workspace, watch):
                    if self.workspace.interrupted.is_set():
                        self.study.tell(sampled, state=TrialState.FAIL)
                    else:
                        self.study.tell(sampled, state=TrialState.PRUNED)
                        print(f"{trial.name}: pruned after epoch {watch.epoch}", flush=True)
                    return
            result = read_result(trial, self.commit)
            watch.report_rest(result.curves["val_accuracy"].tolist())
            self.study.tell(sampled, result.validation_accuracy)
            print(f"{trial.name}: validation accuracy {result.validation_accuracy:.2%}", flush=True)
        except Exception:
            self.study.tell(sampled, state=TrialState.FAIL)
            raise

    def result(self, sampled: Any) -> TrialResult | PrunedTrial:
        """Return the result of a trial that Optuna keeps."""
        trial = replace(self.template, settings=sampled.user_attrs[SETTINGS_ATTRIBUTE])
        if sampled.state == TrialState.PRUNED:
            return PrunedTrial(trial, sampled.last_step)
        return read_result(trial, self.commit)

    def _sample(self) -> tuple[optuna.Trial, Trial]:
        """Sample a trial, seeded by its place among the valid ones, so that a resumed search samples the same."""
        with self.sampling:
            place = len(_valid(self.study)) + len(self.study.get_trials(states=(TrialState.RUNNING,)))
            self.study.sampler = optuna.samplers.TPESampler(seed=(self.search.seed + place) % 2**32)
            sampled = self.study.ask()
            settings = {key: _suggest(sampled, key, space) for key, space in self.search.settings.items()}
            sampled.set_user_attr(SETTINGS_ATTRIBUTE, settings)
        return sampled, replace(self.template, settings=settings)


class _Watch:
    """Reports the accuracy of each epoch, as DVCLive writes it, to Optuna, and asks whether to stop.

    Of a model with several seeds, the epochs of the first that is trained count.
    """

    def __init__(self, trial: optuna.Trial, model: str) -> None:
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
        """Report epochs that were too quick to be seen, or came from DVC's cache, for the pruner."""
        for epoch, accuracy in enumerate(accuracies[self.epoch :], self.epoch + 1):
            self.trial.report(accuracy, epoch)


def _accuracies(path: Path) -> list[float]:
    """Return the last column of a table whose last line may be unfinished."""
    lines = path.read_text().split("\n")[1:-1]
    return [float(line.rpartition("\t")[2]) for line in lines]


def _suggest(trial: optuna.Trial, key: str, space: Range) -> Any:
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
    """Return the completed and pruned trials, in the order they were sampled."""
    return study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))
