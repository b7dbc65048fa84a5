"""A repository of two small pipelines, for tests of what DVC and git say: each stage copies the code that it reads."""

from pathlib import Path

from tests.helpers.clone import Clone

ROOT_STAGES = """\
stages:
  train:
    foreach: [a, b]
    do:
      cmd:
        - mkdir -p data/models/${item} metrics
        - wc -l code/*.py > data/models/${item}/model
        - echo '{}' > metrics/${item}.json
      deps: [code, data/local]
      params: ["models.${item}"]
      outs: ["data/models/${item}"]
      metrics: ["metrics/${item}.json": {cache: false}]
  evaluate:
    foreach: [a, b]
    do:
      cmd: mkdir -p data/scores && cp data/models/${item}/model data/scores/${item}
      deps: ["data/models/${item}", code/io.py]
      outs: ["data/scores/${item}"]
  report:
    cmd: ls data/models data/scores > report.txt
    deps: [data/models, data/scores]
    outs: [report.txt]
"""
FRONTIER_STAGES = """\
stages:
  train:
    foreach: [c]
    do:
      wdir: ..
      cmd:
        - mkdir -p data/frontier frontier/metrics
        - cp code/io.py data/frontier/${item}
        - echo '{}' > frontier/metrics/${item}.json
      deps: [code]
      params: [frontier/params.yaml: ["models.${item}"]]
      outs: ["data/frontier/${item}"]
      metrics: ["frontier/metrics/${item}.json": {cache: false}]
"""
CODE = {
    "code/io.py": '"""Read."""\n\nLIMIT = 1\n\n\ndef read():\n    """Return one."""\n    return LIMIT  # one\n',
    "code/fit.py": 'class Fit:\n    """Fits."""\n\n    def step(self):\n        """Step."""\n        return 1\n',
}
FILES = CODE | {
    ".dvcignore": "__pycache__/\n",
    "dvc.yaml": ROOT_STAGES,
    "frontier/dvc.yaml": FRONTIER_STAGES,
    "params.yaml": "models: {a: 1, b: 1}\n",
    "frontier/params.yaml": "models: {c: 1}\n",
    "data/local/.gitignore": "*\n!.gitignore\n!*.dvc\n",
}


def toy_repository(folder: Path) -> None:
    """Make the repository, run both pipelines and commit the results."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    toy = Clone(folder)
    toy.run("git", "init", "--quiet", "--initial-branch=main")
    toy.run("dvc", "init", "--quiet", "--force")
    (folder / ".dvcignore").write_text(FILES[".dvcignore"])
    toy.run("dvc", "repro", "--quiet", "--all-pipelines")
    toy.commit("Results")


def fresh_clone(toy: Clone, folder: Path, *options: str) -> Clone:
    """Clone a repository without its cache."""
    toy.run("git", "clone", "--quiet", *options, f"file://{toy.folder}", str(folder))
    return Clone(folder)
