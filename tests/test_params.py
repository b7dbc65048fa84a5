"""What ``params.yaml`` may hold, and what is said of what it may not."""

import json
import re
from copy import deepcopy
from io import StringIO
from pathlib import Path
from typing import Any, get_args

import pytest
from dvc.utils.serialize import loads_yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from ruamel.yaml import YAML

from pipeline.errors import InputError
from pipeline.params import recipes, schema
from pipeline.params.reading import ensemble_named, model_named, network_named, read_params, student_named

PARAMS = Path("params.yaml")

# A line of params.yaml, what takes its place, and what the error says after the file's name and the line's number.
MISTAKES = [
    ("model: cnn2", "model: cnn9", r"model: found 'cnn9', expected: the name of a model; allowed: dense128, .*cnn_shi"),
    ("  seed: 0", "  sed: 0", r"split\.sed: found 0, expected: no such key; allowed: validation, seed"),
    ("  format: idx", "  format: png", r"data\.format: found 'png', expected: .*'idx', 'csv' or 'images'"),
    ("  validation: 0.2", "  validation: 1.0", r"split\.validation: found 1\.0, expected: .*less than 1"),
    ("  validation: 0.2", "  validation: 0.0", r"split\.validation: found 0\.0, expected: .*greater than 0"),
    ("    epochs: 1000", "    epochs: many", r"models\.single_layer\.epochs: found 'many', expected: .*integer"),
    ("    epochs: 1000", "    epochs: 0", r"models\.single_layer\.epochs: found 0, expected: .*greater than 0"),
    ("    epochs: 1000", "    epochs: true", r"models\.single_layer\.epochs: found True, expected: .*integer"),
    (
        "    architecture: cnn1",
        "    architecture: cnn9",
        r"models\.cnn1\.architecture: found 'cnn9', expected: .*'cnn1', 'cnn2', 'cnn_grid'",
    ),
    (
        "    optimizer: {name: nadam, learning_rate: 0.001}",
        "    optimizer: {name: adamm, learning_rate: 0.001}",
        r"models\.cnn1\.optimizer\.name: found 'adamm', expected: .*'adam', 'nadam', .*'adamw', 'sgdw', 'muon'",
    ),
    (
        "    optimizer: {name: nadam, learning_rate: 0.001}",
        "    optimizer: {name: nadam}",
        r"models\.cnn1\.optimizer\.learning_rate: found nothing, expected: .*required",
    ),
    (
        "    optimizer: {name: nadam, learning_rate: 0.001}",
        "    optimizer: {name: nadam, learning_rate: -0.001}",
        r"models\.cnn1\.optimizer\.learning_rate: found -0\.001, expected: .*greater than 0",
    ),
    (
        "    batch_size: full",
        "    batch_size: all",
        r"models\.single_layer\.batch_size: found 'all', expected: .*'full'",
    ),
    (
        "    recipe: plain",
        "    recipe: plane",
        r"models\.dense128\.recipe: found 'plane', expected: .*a recipe; allowed: plain",
    ),
    (
        "    flip: none ",
        "    flip: sometimes ",
        r"recipes\.plain\.flip: found 'sometimes', expected: .*'random' or 'alt",
    ),
    ("    shift: 0 ", "    shift: -1 ", r"recipes\.plain\.shift: found -1, expected: .*greater than or equal to 0"),
    ("    label_smoothing: 0.0 ", "    label_smoothing: 1.0 ", r"recipes\.plain\.label_smoothing: found 1\.0, .*less"),
    (
        "    schedule: constant ",
        "    schedule: {warm_up: 0.1, decay: sine} ",
        r"recipes\.plain\.schedule\.decay: found 'sine', expected: .*'cosine' or 'linear'",
    ),
    (
        "    schedule: constant ",
        "    schedule: cosine ",
        r"recipes\.plain\.schedule: found 'cosine', expected: .*'constant'",
    ),
    ("    averaging: null ", "    averaging: 1.0 ", r"recipes\.plain\.averaging: found 1\.0, expected: .*less than 1"),
    ("    layers: 2", "    layer: 2", r"models\.mlp\.layer: found 2, expected: no such key; allowed: .*layers, nodes"),
    ("    nodes: 64", "    nodes: 64.5", r"models\.mlp\.nodes: found 64\.5, expected: .*integer"),
    (
        "    - folder: data/local ",
        "    - floppy: a ",
        r"data\.sources\.3: found .*floppy.*, expected: .*url, debian, folder",
    ),
    ("  classes: [T-shirt/top,", "  classes: [Bag,", r"data\.classes: found .*expected: class names must differ"),
    ("  classes: [T-shirt/top,", '  classes: ["a\\nb",', r"data\.classes\.0: found 'a\\nb', expected: .*pattern"),
    ("  transposed: false", "  transposed: 0", r"data\.transposed: found 0, expected: .*boolean"),
    (
        "    train: data/local/train",
        "    train: /photos",
        r"data\.images\.train: found '/photos', expected: .*data/local",
    ),
    ("    train: data/local/train", "    train: data/local/..", r"data\.images\.train: found .*, expected: .*pattern"),
    (
        "    test: {folder: data/local/test}",
        "    test: {folder: data/local/train}",
        r"data\.images\.test\.folder: found 'data/local/train', expected: another folder",
    ),
    (
        "    test: {folder: data/local/test}",
        "    test: {share: 0.2}",
        r"data\.images\.test\.seed: found nothing, expected: .*required",
    ),
    (
        "    test: {folder: data/local/test}",
        "    test: {folder: data/local/test, seed: 0}",
        r"data\.images\.test\.seed: found 0, expected: no such key; allowed: folder",
    ),
    ("    test: {folder: data/local/test}", "    test: 0.2", r"data\.images\.test: found 0\.2, expected: .*dictionary"),
    (
        "    resize: {height: 28, width: 28} ",
        "    resize: {height: 0, width: 28} ",
        r"data\.images\.resize\.height: found 0, expected: .*greater than or equal to 1",
    ),
    (
        "    resize: {height: 28, width: 28} ",
        "    resize: 28 ",
        r"data\.images\.resize: found 28, expected: .*dictionary",
    ),
    ("    color: grey ", "    color: colour ", r"data\.images\.color: found 'colour', expected: .*'grey' or 'rgb'"),
    ("    dense128: {article: A,", "    dense: {article: A,", r"report\.claims\.dense: found .*the name of a model"),
    (
        "    members: {airbench_long: all}",
        "    members: {cnn9: kept}",
        r"ensembles\.airbench_vote\.members\.cnn9: found 'kept', expected: the name of a model; allowed: dense128, .*",
    ),
    (
        "    members: {airbench_long: all}",
        "    members: {airbench_long: best}",
        r"ensembles\.airbench_vote\.members\.airbench_long: found 'best', expected: .*'kept' or 'all'",
    ),
    (
        "    teacher: airbench_vote",
        "    teacher: cnn2",
        r"students\.resnet_taught\.teacher: found 'cnn2', expected: the name of an ensemble; allowed: airbench_vote",
    ),
    (
        "    temperature: 2.0",
        "    temperature: 0.0",
        r"students\.resnet_taught\.temperature: found 0\.0, expected: .*greater than 0",
    ),
    (
        "    weight: 0.5",
        "    weight: 1.1",
        r"students\.resnet_taught\.weight: found 1\.1, expected: .*less than or",
    ),
    (
        "    weight: 0.5",
        "    wait: 0.5",
        r"students\.resnet_taught\.wait: found 0\.5, expected: no such key; allowed: ",
    ),
    ("  airbench_vote:", "  cnn2:", r"ensembles\.cnn2: found .*another name: models has one called so"),
    (
        "  resnet_taught:",
        "  airbench_vote:",
        r"students\.airbench_vote: found .*another name: ensembles has one called so",
    ),
    ("  resnet_taught:", "  candidate:", r"students\.candidate: found .*another name"),
    ("  dense128:", "  candidate:", r"models\.candidate: found .*another name"),
    ("  dense128:", "  size:", r"models\.size: found .*another name"),
    ("  dense128:", "  Dense-128:", r"models\.Dense-128: found .*expected: .*pattern"),
]


def written(text: str, folder: Path) -> Path:
    path = folder / "params.yaml"
    path.write_text(text)
    return path


def test_the_schema_changes_no_value() -> None:
    assert read_params(PARAMS).model_dump() == YAML(typ="safe", pure=True).load(PARAMS)


def fields() -> list[tuple[str, FieldInfo]]:
    """Every parameter there can be, by its name in its section."""
    named = [*vars(schema).values(), *vars(recipes).values()]
    sections = [section for section in named if isinstance(section, type) and issubclass(section, BaseModel)]
    for union in (schema.AnyModel, schema.AnyStudent):
        sections += [member for member in get_args(get_args(union)[0]) if issubclass(member, BaseModel)]
    return [field for section in sections for field in section.model_fields.items()]


def test_the_schema_has_no_defaults() -> None:
    assert [name for name, field in fields() if not field.is_required()] == []


def test_no_parameter_has_a_name_that_dvc_overlooks() -> None:
    assert {name for name, _ in fields()} & {"size", "nfiles"} == set()


@pytest.mark.parametrize(("line", "mistake", "said"), MISTAKES, ids=[mistake.strip() for _, mistake, _ in MISTAKES])
def test_a_mistake_is_named_with_file_line_and_parameter(line: str, mistake: str, said: str, tmp_path: Path) -> None:
    before, found, after = PARAMS.read_text().partition(f"\n{line}")
    assert found
    path = written(f"{before}\n{mistake}{after}", tmp_path)
    number = before.count("\n") + 2
    with pytest.raises(InputError, match=rf"^{path}:{number}: {said}"):
        read_params(path)


def test_transposed_images_in_folders_are_refused(tmp_path: Path) -> None:
    text = PARAMS.read_text().replace("format: idx", "format: images").replace("transposed: false", "transposed: true")
    with pytest.raises(InputError, match=r"data\.transposed: found True, expected: false with format images"):
        read_params(written(text, tmp_path))


def test_classes_may_be_left_to_the_data_and_claims_away() -> None:
    params = read_params(Path("docs/digits.yaml"))
    assert params.data.classes is None
    assert params.report.claims == {}


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    text = PARAMS.read_text().replace("format: idx", "format: png").replace("epochs: 1000", "epochs: 0")
    with pytest.raises(InputError, match=r"data\.format.*\n.*single_layer\.epochs"):
        read_params(written(text, tmp_path))


@pytest.mark.parametrize(
    ("text", "said"), [("model: [", ":1: expected YAML"), ("a: 1\na: 2", ":2: expected YAML"), ("", ":1: ")]
)
def test_a_file_that_is_not_yaml_is_refused_with_the_line(text: str, said: str, tmp_path: Path) -> None:
    path = written(text, tmp_path)
    with pytest.raises(InputError, match=f"^{path}{said}"):
        read_params(path)


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"params\.yaml: found no readable file"):
        read_params(tmp_path / "params.yaml")


def test_numbers_are_read_as_dvc_reads_them(tmp_path: Path) -> None:
    text = PARAMS.read_text().replace("learning_rate: 0.001", "learning_rate: 1e-3")  # a string in YAML 1.1
    assert model_named(read_params(written(text, tmp_path)), "cnn1").optimizer.learning_rate == 0.001


def test_an_unknown_model_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"found 'cnn9', expected one of dense128, .*cnn_shi"):
        model_named(read_params(PARAMS), "cnn9")


def test_each_section_has_its_own_names() -> None:
    params = read_params(PARAMS)
    assert params.names == [*params.models, "airbench_vote", "resnet_taught"]
    with pytest.raises(InputError, match=r"ensemble: found 'cnn1', expected one of airbench_vote"):
        ensemble_named(params, "cnn1")
    with pytest.raises(InputError, match=r"student: found 'cnn1', expected one of resnet_taught"):
        student_named(params, "cnn1")
    assert network_named(params, "resnet_taught").architecture == "resnet"
    with pytest.raises(
        InputError, match=r"'airbench_vote', an ensemble without a network .*; its members are airbench_long"
    ):
        network_named(params, "airbench_vote")


def test_there_may_be_no_ensembles_and_no_students() -> None:
    params = read_params(Path("docs/digits.yaml"))
    assert (params.ensembles, params.students) == ({}, {})
    with pytest.raises(InputError, match=r"student: found 'pupil', expected one of none"):
        student_named(params, "pupil")


def test_options_are_what_the_architecture_takes() -> None:
    params = read_params(PARAMS)
    options: dict[str, dict[str, Any]] = {name: entry.options for name, entry in params.trained.items()}
    assert set(options["mlp"]) == {"layers", "nodes"}
    assert options["cnn1"] == {}
    assert set(options["resnet_taught"]) == {"stem", "width", "blocks"}


def shortened() -> str:
    """params.yaml with two models, which is read in a few milliseconds."""
    text = PARAMS.read_text()
    before, models = text.split("models:\n")
    kept = re.findall(r"  (?:mlp|single_layer):\n(?:    .*\n)+", models)
    claims = re.findall(r"    (?:mlp|single_layer): .*\n", models)
    head = re.sub(r"#.*", "", before.replace("model: cnn2", "model: mlp"))
    taught = kept[1].replace("  mlp:\n", "  pupil:\n    teacher: both\n    temperature: 2.0\n    weight: 0.5\n")
    combined = f"ensembles:\n  both:\n    members: {{mlp: kept, single_layer: all}}\nstudents:\n{taught}"
    return f"{head}models:\n{''.join(kept)}{combined}report:\n  claims:\n{''.join(claims)}"


SHORT = shortened()
SHORT_VALUES = YAML(typ="safe", pure=True).load(SHORT)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates() | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3),
    max_leaves=8,
)


def accepted(path: Path, content: bytes) -> bool:
    """Whether the file is read; then each value is the one that DVC reads, of its type."""
    path.write_bytes(content)
    try:
        params = read_params(path)
    except InputError as error:
        assert str(error).startswith(str(path))  # noqa: PT017  # that it is raised is not certain
        return False
    ours, dvcs = (json.dumps(values, sort_keys=True) for values in (params.model_dump(), loads_yaml(content.decode())))
    assert ours == dvcs  # as JSON, 1, 1.0 and true differ
    return True


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("params") / "params.yaml"


def test_the_short_file_is_a_file_of_parameters(scratch: Path) -> None:
    assert accepted(scratch, SHORT.encode())


@settings(max_examples=500)
@given(content=st.binary(max_size=40) | st.text(max_size=40).map(lambda text: text.encode(errors="replace")))
def test_any_bytes_are_refused(scratch: Path, content: bytes) -> None:
    assert not accepted(scratch, content)


@settings(max_examples=500)
@given(values=VALUES)
def test_any_yaml_is_refused(scratch: Path, values: Any) -> None:
    stream = StringIO()
    YAML(typ="safe", pure=True).dump(values, stream)
    assert not accepted(scratch, stream.getvalue().encode())


@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
@given(
    start=st.integers(0, len(SHORT)),
    removed=st.integers(0, 12),
    inserted=st.text(" \n\t:-#,.[]{}&*!|>'\"%@`0123456789eEtruefalsn~", max_size=4) | st.text(max_size=2),
)
def test_a_mutated_file_is_refused_or_read_as_dvc_reads_it(
    scratch: Path, start: int, removed: int, inserted: str
) -> None:
    text = SHORT[:start] + inserted + SHORT[start + removed :]
    accepted(scratch, text.encode(errors="replace"))


@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), value=VALUES)
def test_any_value_in_any_place_is_refused_or_read_as_dvc_reads_it(
    scratch: Path, data: st.DataObject, value: Any
) -> None:
    values = deepcopy(SHORT_VALUES)
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
