"""The statements and commands of the README hold."""

import doctest
import os
import re
import signal
import subprocess
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from pipeline.config import load_published
from tests.helpers.clone import ENVIRONMENT, OUTSIDE_MAKE, ROOT, Clone
from tests.helpers.documentation import code_blocks, run_block
from tools.update_readme import fill, sections

README = Path("README.md").read_text(encoding="utf-8")


@pytest.fixture
def installed(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """A clone after `make setup`, in a shell that has not activated its environment."""
    environment = clone.folder / ".venv"
    environment.mkdir()
    for path in (ROOT / ".venv").iterdir():
        if not path.name.startswith("synced"):
            (environment / path.name).symlink_to(path)
    for device in ("cpu", "gpu"):
        (environment / f"synced-{device}").touch()
    monkeypatch.setitem(ENVIRONMENT, "PATH", "/usr/local/bin:/usr/bin:/bin")
    return clone


def test_every_result_is_generated() -> None:
    assert fill(README, sections()) == README, "`make readme` writes the new results"


def test_the_full_table_is_that_of_the_committed_results() -> None:
    lines = re.findall(r"^\| (.*) \|$", Path("docs/results.md").read_text(encoding="utf-8"), re.MULTILINE)
    header, *rows = ([cell.strip() for cell in line.split("|")] for line in lines)
    table = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
    results = pd.read_csv("reports/results.csv")
    assert sorted(table) == sorted(f"`{name}`" for name in results["model"])
    for result in results.to_dict("records"):
        row = table[f"`{result['model']}`"]
        scores = [result[f"accuracy{part}"] for part in ("", "_std", "_low", "_high")]
        shown = [f"{100 * score:.2f}" for score in scores if pd.notna(score)]
        assert re.findall(r"\d+\.\d+", row["Test accuracy (95 % interval)"]) == shown
        assert row["Rank"] == "–".join(dict.fromkeys((str(result["rank_best"]), str(result["rank_worst"]))))
        ensemble = result["ensemble_accuracy"]
        assert row["Ensemble of the seeds"] == ("–" if pd.isna(ensemble) else f"{100 * ensemble:.2f} %")
        assert row["Macro F1"] == f"{100 * result['f1_macro']:.2f} %"
        assert row["Seeds"] == str(result["seeds"])
        assert row["Parameters"] == f"{result['parameters']:,}"
        assert float(row["Seconds per epoch"]) == pytest.approx(result["seconds_per_epoch"], rel=0.05)
        assert row["Epochs (best of trained)"] == f"{result['best_epoch']} of {result['epochs']}"


def test_no_result_is_typed_by_hand() -> None:
    without = fill(README, dict.fromkeys(sections(), ""))
    numbers = re.findall(r"\d+[.,]?\d*(?= ?(?:%|points|minutes|seconds))", without)
    assert numbers == [], "a number belongs between markers"


def test_the_readme_is_short_and_shows_the_report() -> None:
    assert len(README.splitlines()) <= 150
    assert "](docs/report.png)" in "".join(README.splitlines()[:4])


def test_all_articles_are_named_with_their_titles() -> None:
    articles = YAML(typ="safe").load(Path("published.yaml"))["articles"]
    table = README.partition("## Sources")[2]
    for letter, article in articles.items():
        title = re.split(r"[(…]", article["title"])[0].strip()
        assert re.search(rf"^\| {letter} \| .*{re.escape(title)}", table, re.MULTILINE), title


def test_the_figures_of_three_seeds_are_those_of_the_trials() -> None:
    page = Path("reports/sweeps/README.md").read_text(encoding="utf-8")
    published = load_published("published.yaml").models
    folders = sorted(Path("reports/sweeps").glob("*_seeds"))
    assert folders
    for folder in folders:
        name = folder.name.removesuffix("_seeds")
        table = pd.read_csv(folder / "test.csv").sort_values(f"models.{name}.seeds")
        accuracies = 100 * table.set_index(f"models.{name}.seeds")[f"metrics/{name}.json:test.accuracy"]
        assert accuracies.index.tolist() == ["[0]", "[1]", "[2]"]
        each = ", ".join(f"{accuracy:.2f}" for accuracy in accuracies)
        mean = f"{accuracies.mean():.2f} ± {accuracies.std():.2f}"
        assert f"| `{name}` | {each} | {mean} | {published[name].claim} |" in page


def test_make_has_every_target_that_pages_name() -> None:
    makefile = Path("Makefile").read_text()
    for page in ("README.md", "CONTRIBUTING.md", *map(str, Path("docs").glob("*.md"))):
        text = Path(page).read_text(encoding="utf-8")
        for target in re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE):
            assert re.search(rf"^(?:\S+ )*{target}(?: \S+)*:", makefile, re.MULTILINE), f"{page}: make {target}"


def test_quickstart_scores_a_published_model(installed: Clone) -> None:
    printed = run_block(installed, "README.md", "quickstart")
    assert re.search(r"mlp: test accuracy \d\d\.\d\d % .*article D reports 84\.84 %", printed)


def test_make_repro_says_what_it_trains_and_what_is_best(installed: Clone) -> None:
    printed = run_block(installed, "README.md", "repro")
    assert "Nothing to train." in printed
    assert "Data and pipelines are up to date" in printed
    models, address = printed.splitlines()[-4:-1], printed.splitlines()[-1]
    assert {line.partition(":")[0] for line in models} == {"dense128", "cnn1", "mlp"}
    assert address.endswith(f"{installed.folder.resolve()}/reports/index.html")


def test_the_daily_commands_work_as_typed(installed: Clone) -> None:
    printed = run_block(installed, "README.md", "daily")
    assert "Data and pipelines are up to date" in printed
    assert re.search(r"metrics/candidate\.json .* test\.accuracy", printed)
    differences = [line for line in printed.splitlines() if line.startswith(("Path ", "metrics/candidate.json "))]
    assert len(differences) <= 12
    columns = r"^ +Experiment .* metrics/candidate\.json:validation\.accuracy +params\.yaml:model"
    assert re.search(columns, printed, re.MULTILINE)
    assert max(map(len, printed.splitlines())) <= 160


def test_ctrl_c_in_a_training_says_how_to_go_on(installed: Clone) -> None:
    installed.change("models.mlp.epochs", 3000)
    metrics = (installed.folder / "metrics/mlp.json").read_bytes()
    command = ["make", "quickstart"]
    with subprocess.Popen(
        command,
        cwd=installed.folder,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as make:
        assert make.stderr
        assert any(line.startswith("mlp, seed 0: epoch ") for line in make.stderr)
        os.killpg(make.pid, signal.SIGINT)  # as a terminal does
        lines = [line for line in make.stderr.read().splitlines() if line and not line.startswith("mlp, seed 0: ")]
    # In any order: DVC runs the training in a shell, and a shell such as dash ends before the training does.
    lines.remove("interrupted; run the same command again to continue, nothing finished is lost")
    assert [line.partition(":")[0] for line in lines] == ["ERROR", "make"]
    assert (installed.folder / "metrics/mlp.json").read_bytes() == metrics
    live = (installed.folder / "dvclive/mlp/0/report.html").read_text()
    assert "https://cdn.jsdelivr.net/npm/vega@" in live, "docs/troubleshooting.md says that it needs a network"


def test_make_repro_trains_several_models_at_a_time() -> None:
    command = ["make", "--dry-run", "repro", "JOBS=2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=OUTSIDE_MAKE)
    assert "xargs -P 2" in done.stdout
    assert done.stdout.rstrip().splitlines()[-1].endswith('reports/index.html"')


def test_an_architecture_is_one_file_and_one_entry(clone: Clone) -> None:
    page = "docs/architectures.md"
    file = clone.folder / "pipeline/architectures/strided.py"
    file.write_text(code_blocks(page, "python")["architecture"])
    clone.replace("params.yaml", "\nmodels:\n", f"\nmodels:\n{code_blocks(page, 'yaml')['entry']}")
    assert clone.dvc("repro", "evaluate@strided").ran == {"train@strided", "evaluate@strided"}
    assert clone.dvc("repro", "--dry").ran == {"report"}

    spec = spec_from_file_location("strided", file)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert doctest.testmod(module) == (0, 1)  # failed, attempted
