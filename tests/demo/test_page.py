from __future__ import annotations

import ast

import pytest

import workbench as wb
import workbench.demo
from workbench.demo.code import snippets
from workbench.demo.real import real
from workbench.demo.simulated import simulated

SUBJECTS = pytest.mark.parametrize("subject", [simulated(), real()], ids=["simulated", "real"])


@SUBJECTS
@pytest.mark.parametrize("part", ["split", "fit", "compare", "regions", "chips", "predict", "all"])
def test_the_code_on_the_page_uses_only_what_there_is(part, subject):
    tree = ast.parse(snippets(subject, 5)[part])
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name) and node.value.id == "wb"}
    assert used <= set(wb.__all__)
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
                for name in node.names}
    assert imported <= set(workbench.demo.__all__)


@SUBJECTS
def test_the_whole_script_defines_every_name_it_uses(subject):
    tree = ast.parse(snippets(subject, 5)["all"])
    stored = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)
              and isinstance(node.ctx, ast.Store)} | {"wb"}
    stored |= {name.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
               for name in node.names}
    loaded = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)
              and isinstance(node.ctx, ast.Load)}
    assert loaded <= stored
