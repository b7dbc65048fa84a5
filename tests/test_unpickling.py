"""Nothing that the project reads can bring code along: no module of ours unpickles."""

import ast
from pathlib import Path

SOURCES = [path for folder in ("pipeline", "stages", "tools", "benchmarks") for path in Path(folder).rglob("*.py")]
MODULES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
LOADING = {"torch.load", "np.load", "numpy.load", "pd.read_pickle", "yaml.load"}


def unpickles(node: ast.AST) -> bool:
    """Whether a node imports a module that runs what it reads, or loads without forbidding that."""
    match node:
        case ast.Import(names):
            return any(alias.name.partition(".")[0] in MODULES for alias in names)
        case ast.ImportFrom(module=str(module)):
            return module.partition(".")[0] in MODULES
        case ast.Call(function, _, keywords) if ast.unparse(function) in LOADING:
            return "allow_pickle=False" not in [ast.unparse(keyword) for keyword in keywords]
    return False


def test_the_test_finds_what_it_looks_for() -> None:
    for line in ("import pickle", "from joblib import load", "np.load(file)", "torch.load(file, allow_pickle=True)"):
        assert any(map(unpickles, ast.walk(ast.parse(line)))), line


def test_nothing_unpickles() -> None:
    assert SOURCES
    nodes = [(path, node) for path in SOURCES for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    assert [path for path, node in nodes if unpickles(node)] == []
