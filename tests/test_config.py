"""What ``params.yaml`` may hold, and the errors for what it may not."""

import re
from copy import deepcopy
from difflib import ndiff
from io import StringIO
from pathlib import Path
from typing import Any, get_args

import pytest
from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize import loads_yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from ruamel.yaml import YAML

from pipeline import config, config_data, config_models
from pipeline.config import NUMERICS, Layout, find_model, load_all, load_config, load_pipeline, load_published
from pipeline.io import InputError

PARAMS = Path("tests/data/params.yaml")  # small, with every kind of section
FILES = [Path("params.yaml"), Path("frontier/params.yaml"), *sorted(Path("configs").glob("*.yaml"))]
MISSING = object()

# Where a value is replaced, by what, and what the error says after the file's name and the line's number.
MISTAKES: list[tuple[str, Any, str]] = [
    ("model", "cnn9", r"model: found 'cnn9', expected: the name of a model; allowed: mlp, single_layer"),
    ("published", "articles.yaml", r"published: found 'articles\.yaml', expected: 'published\.yaml'"),
    ("data.format", "png", r"data\.format: found 'png', expected: format is one of idx, csv, images"),
    (
        "data.format",
        "csv",
        r"data\.csv: found nothing, expected: .*required\n.*data\.idx: found .*, expected: no such key; allowed: .*csv",
    ),
    ("data.sources.1.folder", "a\x1b[2J", r"data\.sources\.1\.folder: found 'a\\x1b\[2J', expected: text without"),
    ("data.sources.1.folder", "a\0", r"data\.sources\.1\.folder: found 'a\\x00', expected: text without control"),
    ("data.idx.train_images.name", "../a", r"data\.idx\.train_images\.name: found '\.\./a', expected: a file name of"),
    (
        "data.idx.test_labels.name",
        "train-labels",
        r"data\.idx\.test_labels\.name: found 'train-labels', expected: another file than train_labels",
    ),
    ("data.idx.test", {"fraction": 0.2}, r"data\.idx\.test_images: found .*, expected: no such key; allowed: .*"),
    (
        "data.idx.test_images.sha256",
        "00",
        r"data\.idx\.test_images\.sha256: found '00', expected: 64 hexadecimal digits",
    ),
    ("data.sources.1", {"floppy": "a"}, r"data\.sources\.1: found .*floppy.*, expected: .*url, debian, folder"),
    ("data.classes", ["Bag", "Bag"], r"data\.classes: found .*expected: class names must differ"),
    ("data.classes.0", "a\nb", r"data\.classes\.0: found 'a\\nb', expected: text without control"),
    ("data.idx.transposed", 0, r"data\.idx\.transposed: found 0, expected: .*boolean"),
    (
        "splits.standard.sed",
        0,
        r"splits\.standard\.sed: found 0, expected: no such key; allowed: validation_size, seed",
    ),
    ("splits.standard.validation_size", 1.0, r"splits\.standard\.validation_size: found 1\.0, expected: .*less than 1"),
    ("splits.standard.validation_size", 0, r"splits\.standard\.validation_size: found 0, expected: greater than 0$"),
    ("recipes.plain.flip", "sometimes", r"recipes\.plain\.flip: found 'sometimes', expected: .*'random' or 'alt"),
    ("recipes.plain.translate", -1, r"recipes\.plain\.translate: found -1, expected: .*greater than or equal to 0"),
    ("recipes.plain.label_smoothing", 1.0, r"recipes\.plain\.label_smoothing: found 1\.0, .*less"),
    (
        "recipes.plain.lr_schedule",
        {"warmup": 0.1, "decay": "sine"},
        r"recipes\.plain\.lr_schedule\.decay: found 'sine', expected: .*'cosine' or 'linear'",
    ),
    ("recipes.plain.lr_schedule", "cosine", r"recipes\.plain\.lr_schedule: found 'cosine', expected: .*'constant'"),
    ("recipes.plain.ema", 1.0, r"recipes\.plain\.ema: found 1\.0, expected: .*less than 1"),
    ("models.mlp.recipe", "plane", r"models\.mlp\.recipe: found 'plane', expected: .*a recipe; allowed: plain"),
    ("models.mlp.split", "half", r"models\.mlp\.split: found 'half', expected: .*a split; allowed: standard"),
    ("models.mlp.architecture", "cnn9", r"models\.mlp\.architecture: found 'cnn9', expected: .*'cnn1', 'cnn2'"),
    ("models.mlp.layer", 2, r"models\.mlp\.layer: found 2, expected: no such key; allowed: .*layers, units"),
    ("models.mlp.units", 64.5, r"models\.mlp\.units: found 64\.5, expected: .*integer"),
    ("models.mlp.units", MISSING, r"models\.mlp\.units: found nothing, expected: .*required"),
    ("models.mlp.epochs", "many", r"models\.mlp\.epochs: found 'many', expected: .*integer"),
    ("models.mlp.epochs", 0, r"models\.mlp\.epochs: found 0, expected: .*greater than 0"),
    ("models.mlp.epochs", True, r"models\.mlp\.epochs: found True, expected: .*integer"),
    ("models.mlp.seeds", [1, 1], r"models\.mlp\.seeds: found \[1, 1\], expected: seeds must differ"),
    (
        "models.mlp.optimizer.name",
        MISSING,
        r"models\.mlp\.optimizer: found .*, expected: a mapping with the key 'name'",
    ),
    ("models.mlp.optimizer.name", "adamm", r"models\.mlp\.optimizer\.name: found 'adamm', expected: .*'sgdw', 'muon'"),
    (
        "models.mlp.optimizer.learning_rate",
        MISSING,
        r"models\.mlp\.optimizer\.learning_rate: found nothing, .*required",
    ),
    (
        "models.mlp.optimizer.learning_rate",
        -0.1,
        r"models\.mlp\.optimizer\.learning_rate: found -0\.1, .*greater than 0",
    ),
    ("models.single_layer.batch_size", "all", r"models\.single_layer\.batch_size: found 'all', expected: .*'full'"),
    ("models.candidate", "mlp", r"models\.candidate: found .*another name"),
    ("models.size", "mlp", r"models\.size: found .*another name"),
    ("models.Dense-128", "mlp", r"models\.Dense-128: found .*expected: lower-case letters"),
]
# The same for data in folders of images.
IMAGE_MISTAKES: list[tuple[str, Any, str]] = [
    ("data.images.train", "/photos", r"data\.images\.train: found '/photos', expected: .*data/local"),
    ("data.images.train", "data/local/..", r"data\.images\.train: found .*, expected: data/local or a folder"),
    (
        "data.images.test.folder",
        "data/local/digits/train",
        r"data\.images\.test\.folder: found 'data/local/digits/train', expected: another folder",
    ),
    ("data.images.test", {"fraction": 0.2}, r"data\.images\.test\.seed: found nothing, expected: .*required"),
    ("data.images.test.seed", 0, r"data\.images\.test\.seed: found 0, expected: no such key; allowed: folder"),
    ("data.images.test", 0.2, r"data\.images\.test: found 0\.2, expected: .*dictionary"),
    (
        "data.images.resize",
        {"height": 0, "width": 28},
        r"data\.images\.resize\.height: found 0, expected: .*greater than or equal to 1",
    ),
    ("data.images.resize", 28, r"data\.images\.resize: found 28, expected: .*dictionary"),
    ("data.images.color", "colour", r"data\.images\.color: found 'colour', expected: .*'grey' or 'rgb'"),
    ("data.images.transposed", True, r"data\.images\.transposed: found True, expected: no such key"),
]
# The same for one CSV table of which test images are held out.
TABLE_MISTAKES: list[tuple[str, Any, str]] = [
    ("data.csv.test", "test.csv", r"data\.csv\.test: found 'test\.csv', expected: .*dictionary"),
    ("data.csv.test.fraction", 1, r"data\.csv\.test\.fraction: found 1, expected: .*less than 1"),
    ("data.csv.test.fraction", 0.0, r"data\.csv\.test\.fraction: found 0\.0, expected: .*greater than 0"),
    ("data.csv.test.name", "test.csv", r"data\.csv\.test\.sha256: found nothing, expected: .*required"),
    (
        "data.csv.test",
        {"name": "train.csv", "sha256": None},
        r"data\.csv\.test\.name: found 'train\.csv', expected: another file than train",
    ),
    ("data.csv.train.sha256", MISSING, r"data\.csv\.train\.sha256: found nothing, expected: .*required"),
]
TABLE = re.sub(
    "format: images.*color: grey",
    "format: csv\n  csv: {train: {name: train.csv, sha256: null}, test: {fraction: 0.2, seed: 0}, transposed: false}",
    Path("configs/digits.yaml").read_text(),
    flags=re.DOTALL,
)
CASES: list[tuple[Path | str, str, Any, str]] = [(PARAMS, *case) for case in MISTAKES] + [
    (Path("configs/digits.yaml"), *case) for case in IMAGE_MISTAKES
]
CASES += [(TABLE, *case) for case in TABLE_MISTAKES]


def written(text: str, folder: Path) -> Path:
    path = folder / "params.yaml"
    path.write_text(text)
    return path


def keys_of(path: str) -> list[str | int]:
    return [int(key) if key.isdecimal() else key for key in path.split(".")]


def changed(source: Path | str, key: str, value: Any, folder: Path) -> Path:
    """Write `source` with another value at a key path: a model's name stands for a copy of that model."""
    document = YAML().load(source)
    section = document
    *parents, last = keys_of(key)
    for parent in parents:
        section = section[parent]
    if value is MISSING:
        del section[last]
    else:
        section[last] = deepcopy(section[value]) if value == "mlp" else value
    path = folder / "params.yaml"
    YAML().dump(document, path)
    return path


def line_of(path: Path, key: str) -> int:
    """Line of a key path in a file, or of the last of its keys that is there, by ruamel's positions."""
    section, line = YAML().load(path), 1
    for part in keys_of(key):
        if isinstance(section, dict) and part not in section:
            break
        line = (section.lc.item if isinstance(part, int) else section.lc.key)(part)[0] + 1
        section = section[part]
    return line


@pytest.mark.parametrize(
    ("source", "key", "value", "said"),
    CASES,
    ids=[f"{key}={'nothing' if value is MISSING else value}" for _, key, value, _ in CASES],
)
def test_a_mistake_is_named_with_line_and_key(
    source: Path | str, key: str, value: Any, said: str, tmp_path: Path
) -> None:
    path = changed(source, key, value, tmp_path)
    with pytest.raises(InputError, match=rf"^{path}:\d+: {said}") as raised:
        load_config(path)
    line, named = str(raised.value).splitlines()[0].removeprefix(f"{path}:").split(": ")[:2]
    assert int(line) == line_of(path, named)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_the_schema_changes_no_value(path: Path) -> None:
    loaded = load_pipeline(path) if path.parent.name == "frontier" else load_config(path)
    assert loaded.model_dump() == YAML(typ="safe", pure=True).load(path)


@pytest.mark.parametrize(
    ("path", "override", "removed", "added"),
    [
        ("params.yaml", "model=cnn1", ["model: cnn2"], ["model: cnn1"]),
        ("params.yaml", "models.cnn_shi.epochs=3", ["    epochs: 12"], ["    epochs: 3"]),
        ("params.yaml", "models.airbench.seeds=[0,1]", ["    - 2"], []),
        ("params.yaml", "recipes.plain.ema=0.99", ["    ema:"], ["    ema: 0.99"]),
        ("frontier/params.yaml", "models.airbench_long.epochs=2", ["    epochs: 44"], ["    epochs: 2"]),
        ("frontier/params.yaml", "models.airbench_small.seeds=[0,1]", [], ["    - 1"]),
        ("configs/digits.yaml", "splits.standard.seed=1", ["    seed: 0"], ["    seed: 1"]),
        ("configs/wide_resnet.yaml", "model=wrn_28_10", ["model: wrn_40_4"], ["model: wrn_28_10"]),
    ],
)
def test_an_experiment_changes_its_lines_alone(
    path: str, override: str, removed: list[str], added: list[str], tmp_path: Path
) -> None:
    before = Path(path).read_text()
    copy = written(before, tmp_path)
    apply_overrides(copy, [override])  # what `dvc exp run -S` does; treeverse/dvc#8720 and #11018
    difference = [line for line in ndiff(before.splitlines(), copy.read_text().splitlines()) if line[0] in "-+"]
    assert sorted(difference) == sorted([f"- {line}" for line in removed] + [f"+ {line}" for line in added])


def fields() -> list[tuple[str, FieldInfo]]:
    """Every parameter there can be, by its name in its section."""
    named = [kind for module in (config, config_data, config_models) for kind in vars(module).values()]
    sections = [kind for kind in named if isinstance(kind, type) and issubclass(kind, BaseModel)]
    sections += [member for member in get_args(get_args(config_models.AnyModel)[0]) if issubclass(member, BaseModel)]
    return [field for section in sections for field in section.model_fields.items()]


def test_the_schema_has_no_defaults() -> None:
    assert [name for name, field in fields() if not field.is_required()] == []


def test_no_parameter_has_a_name_that_dvc_overlooks() -> None:
    assert {name for name, _ in fields()} & {"size", "nfiles"} == set()


def test_one_table_or_pair_may_be_all_there_is(tmp_path: Path) -> None:
    load_config(written(TABLE, tmp_path))
    path = changed(PARAMS, "data.idx.test", {"fraction": 0.2, "seed": 0}, tmp_path)
    for key in ("test_images", "test_labels"):
        path = changed(path, f"data.idx.{key}", MISSING, tmp_path)
    data = load_config(path).data
    assert isinstance(data, config_data.IdxData)
    assert [file.name for file in data.idx.files] == ["train-images", "train-labels"]


def test_wrong_names_and_keys_are_named_at_once(tmp_path: Path) -> None:
    text = PARAMS.read_text().replace("recipe: plain", "recipe: plane").replace("model: mlp", "model: mpl")
    with pytest.raises(InputError) as error:
        load_config(written(text, tmp_path))
    found = [line.split(": ")[1] for line in str(error.value).splitlines()]
    assert found == ["model", "models.mlp.recipe", "models.single_layer.recipe"]
    text = PARAMS.read_text().replace("    seed: 0", "    sed: 0\n    see: 1").replace("epochs: 1000", "epochs: 0")
    with pytest.raises(InputError) as error:
        load_config(written(text, tmp_path))
    found = [line.split(": ")[1] for line in str(error.value).splitlines()]
    split = [f"splits.standard.{key}" for key in ("seed", "sed", "see")]
    assert found == [*split, "models.single_layer.epochs"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('models: {"a\\e[2J\\nb": 1}', r"models.a\x1b[2J b: found 1, expected: lower-case letters"),
        ('{"a\\e": 1, "a\\e": 2}', r'found duplicate key "a\x1b"'),
        ("model: " + "[" * 100_000, "found a mistake: values nested more than 50 deep"),
        ("model: " + "[" * 40 + "]" * 40, "model: found [["),
        ("a: \x07", "unacceptable character"),
    ],
    ids=["a name", "a key twice", "too deep", "deep", "a control character"],
)
def test_an_odd_file_is_refused_in_plain_lines(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        load_config(written(text, tmp_path))
    assert said in str(error.value)
    assert all(line.isprintable() for line in str(error.value).splitlines())


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    text = PARAMS.read_text().replace("format: idx", "format: png").replace("epochs: 1000", "epochs: 0")
    with pytest.raises(InputError, match=r"data\.format.*\n.*single_layer\.epochs"):
        load_config(written(text, tmp_path))


@pytest.mark.parametrize(
    ("text", "said"), [("model: [", ":1: expected YAML"), ("a: 1\na: 2", ":2: expected YAML"), ("", ":1: ")]
)
def test_a_file_that_is_not_yaml_is_refused_with_the_line(text: str, said: str, tmp_path: Path) -> None:
    path = written(text, tmp_path)
    with pytest.raises(InputError, match=f"^{path}{said}"):
        load_config(path)


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"params\.yaml: found no readable file"):
        load_config(tmp_path / "params.yaml")


def test_numbers_are_read_as_dvc_reads_them(tmp_path: Path) -> None:
    text = PARAMS.read_text().replace("learning_rate: 0.001", "learning_rate: 1e-3")  # a string in YAML 1.1
    assert load_config(written(text, tmp_path)).get_model("mlp").optimizer.learning_rate == 0.001


def test_an_unknown_model_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"found 'cnn9', expected one of dense128, .*cnn_shi.*airbench_long"):
        find_model("cnn9")


def test_a_model_is_found_in_either_pipeline() -> None:
    assert find_model("cnn1")[0] == Layout(Path())
    layout, _ = find_model("airbench_long")
    assert layout.predictions("airbench_long") == Path("data/frontier/predictions/airbench_long.npz")
    assert layout.stage("train", "airbench_long") == "frontier/dvc.yaml:train@airbench_long"


def test_names_are_unique_over_both_pipelines(tmp_path: Path) -> None:
    (_, root), (_, frontier) = load_all()
    assert not set(root.models) & set(frontier.models)
    text = Path("frontier/params.yaml").read_text().replace("  airbench_long:", "  cnn1:")
    with pytest.raises(InputError, match=r"models\.cnn1: found .*another name: params\.yaml has a model of this name"):
        load_pipeline(written(text, tmp_path))


def test_published_results_are_of_models_that_there_are() -> None:
    assert set(load_published("published.yaml").models) <= set(load_config().models)
    assert not load_published(None).models


def test_a_result_of_an_unknown_article_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "published.yaml"
    path.write_text(Path("published.yaml").read_text().replace("cnn1: {article: C", "cnn1: {article: F"))
    with pytest.raises(InputError, match=r"models\.cnn1\.article: found 'F', expected: .*allowed: A, B, C, D, E"):
        load_published(str(path))


def test_options_are_what_the_architecture_takes() -> None:
    options = {name: model.options for name, model in load_config().models.items()}
    assert set(options["mlp"]) == {"layers", "units"}
    assert options["cnn1"] == {}
    assert set(options["airbench"]) == {"widths", "pool_after"}


SHORT = PARAMS.read_text()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates() | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3),
    max_leaves=8,
)


def accepted(path: Path, content: bytes) -> bool:
    """Return whether the file is read; then each value is the one that DVC reads, of its type."""
    path.write_bytes(content)
    try:
        params = load_config(path)
    except InputError as error:
        assert str(error).startswith(str(path))  # noqa: PT017  # that it is raised is not certain
        return False
    ours, dvcs = (typed(values) for values in (params.model_dump(), loads_yaml(content.decode())))
    assert ours == dvcs
    return True


def typed(value: Any) -> Any:
    """The value with each leaf beside its kind: 1 and true differ, 0 and 0.0 are one number."""
    if isinstance(value, dict):
        return {key: typed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [typed(inner) for inner in value]
    return ("number", float(value)) if type(value) in (int, float) else (type(value), value)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("params") / "params.yaml"


def test_the_small_file_is_a_file_of_parameters(scratch: Path) -> None:
    assert accepted(scratch, SHORT.encode())


@settings(max_examples=300)
@given(content=st.binary(max_size=40) | st.text(max_size=40).map(lambda text: text.encode(errors="replace")))
def test_any_bytes_are_refused(scratch: Path, content: bytes) -> None:
    assert not accepted(scratch, content)


@settings(max_examples=300)
@given(values=VALUES)
def test_any_yaml_is_refused(scratch: Path, values: Any) -> None:
    stream = StringIO()
    YAML(typ="safe", pure=True).dump(values, stream)
    assert not accepted(scratch, stream.getvalue().encode())


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@example(start=SHORT.index("label_smoothing: 0.0") + len("label_smoothing: 0"), removed=2, inserted="")
@given(
    start=st.integers(0, len(SHORT)),
    removed=st.integers(0, 12),
    inserted=st.text(" \n\t:-#,.[]{}&*!|>'\"%@`0123456789eEtruefalsn~", max_size=4) | st.text(max_size=2),
)
def test_a_mutated_file_is_refused_or_read_as_dvc_does(scratch: Path, start: int, removed: int, inserted: str) -> None:
    text = SHORT[:start] + inserted + SHORT[start + removed :]
    accepted(scratch, text.encode(errors="replace"))


@pytest.mark.slow
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), value=VALUES)
def test_any_value_anywhere_is_refused_or_read_as_dvc_does(scratch: Path, data: st.DataObject, value: Any) -> None:
    values = YAML(typ="safe", pure=True).load(SHORT)
    section = values
    while True:
        keys = list(section) if isinstance(section, dict) else list(range(len(section)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(section[key], dict | list) or not section[key] or data.draw(st.booleans()):
            break
        section = section[key]
    section[key] = value
    stream = StringIO()
    YAML(typ="safe", pure=True).dump(values, stream)
    accepted(scratch, stream.getvalue().encode())


@pytest.mark.parametrize(("variable", "value"), [("TF_ENABLE_ONEDNN_OPTS", "0"), ("JAX_ENABLE_X64", "1")])
def test_an_environment_that_changes_results_is_refused(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(InputError, match=f"^environment: found {variable}='{value}', which changes results; `unset"):
        load_config()
    monkeypatch.setenv(variable, NUMERICS[variable])
    load_config()
