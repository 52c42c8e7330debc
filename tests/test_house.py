"""Sizes and names that the house holds itself to."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "bwalloc").rglob("*.py"))
MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 60
DRAWERS = {"base", "common", "helpers", "misc", "utils"}


def module_id(path):
    return path.relative_to(ROOT).as_posix()


def functions(tree):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


@pytest.mark.parametrize("path", MODULES, ids=module_id)
def test_module_is_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_MODULE_LINES


@pytest.mark.parametrize("path", MODULES, ids=module_id)
def test_functions_are_short(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    lengths = {node.name: node.end_lineno - node.lineno + 1 for node in functions(tree)}

    assert {} == {name: n for name, n in lengths.items() if n > MAX_FUNCTION_LINES}


@pytest.mark.parametrize("path", MODULES, ids=module_id)
def test_module_is_no_drawer(path):
    names = {part.strip("_") for part in path.relative_to(ROOT).with_suffix("").parts}

    assert set() == DRAWERS & names


def test_every_package_says_what_it_is():
    packages = [path for path in MODULES if path.name == "__init__.py"]
    silent = [
        module_id(path)
        for path in packages
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]

    assert packages
    assert [] == silent


def test_every_folder_of_code_is_a_package():
    folders = {path.parent for path in MODULES}

    assert [] == sorted(module_id(f) for f in folders if not (f / "__init__.py").exists())
