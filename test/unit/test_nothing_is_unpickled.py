"""What comes from outside is data: nowhere does the source unpickle, evaluate or run it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml

from mbrl_ros import config

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(p for top in ("mbrl_ros", "launch", "scripts") for p in (ROOT / top).rglob("*.py")) + [ROOT / "setup.py"]

PICKLES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "multiprocessing"}
OWN_PROCESSES = {"mbrl_ros/bench/ladder_climb.py": ["multiprocessing"]}  # what it unpickles it has pickled itself
RUNS = {"eval", "exec", "compile", "__import__"}  # by their bare names: model.eval() and re.compile() are others
READS_PICKLES = {
    "torch.load", "torch.jit.load", "torch.package.PackageImporter", "torch.hub.load", "torch.export.load",
    "numpy.load", "np.load", "numpy.lib.format.read_array", "pandas.read_pickle",
    "yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "yaml.unsafe_load_all", "yaml.full_load_all",
    "os.system", "os.popen",
}  # fmt: skip
YAML_LOAD = "yaml.load"  # with the loader of config.py only, which makes nothing but plain data


def found(tree: ast.AST) -> list[str]:
    """What a file uses that could make something run of what it reads."""
    return [what for node in ast.walk(tree) if (what := _forbidden(node))]


def _forbidden(node: ast.AST) -> str:
    if isinstance(node, ast.Import):
        return ", ".join(alias.name for alias in node.names if alias.name.split(".")[0] in PICKLES)
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        named = {f"{module}.{alias.name}" for alias in node.names} & (READS_PICKLES | {YAML_LOAD})
        return ", ".join(sorted(named)) or (module if module.split(".")[0] in PICKLES else "")
    if isinstance(node, ast.Call):
        name = _dotted(node.func)
        if name in RUNS | READS_PICKLES or (name == YAML_LOAD and not _by_our_loader(node)):
            return name
        keywords = {k.arg: k.value for k in node.keywords if isinstance(k.value, ast.Constant)}
        return next((k for k in ("allow_pickle", "shell") if k in keywords and keywords[k].value is not False), "")
    return ""


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _by_our_loader(call: ast.Call) -> bool:
    return any(k.arg == "Loader" and _dotted(k.value) == "_Loader" for k in call.keywords)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_is_unpickled_or_evaluated(path):
    allowed = OWN_PROCESSES.get(path.relative_to(ROOT).as_posix(), [])
    assert found(ast.parse(path.read_text(), str(path))) == allowed


def test_our_loader_of_yaml_makes_plain_data_only():
    assert issubclass(config._Loader, yaml.SafeLoader)
    with pytest.raises(yaml.YAMLError):
        config.parse_yaml("!!python/object/apply:os.getcwd []")


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "import os, pickle as p",
        "from pickle import loads",
        "from torch import load",
        "from yaml import load",
        "torch.load(path)",
        "np.load(path)",
        "read(path, allow_pickle=True)",
        "yaml.load(text, Loader=yaml.Loader)",
        "yaml.unsafe_load(text)",
        "eval(text)",
        "def f():\n    exec(text)",
        "subprocess.run(text, shell=True)",
    ],
)
def test_the_reader_sees_what_it_should(line):
    """Were it blind, the rule above would hold."""
    assert found(ast.parse(line))


def test_the_reader_lets_pass_what_only_sounds_alike():
    assert not found(ast.parse("model.eval(); re.compile(p); json.load(f); yaml.safe_load(t)"))
