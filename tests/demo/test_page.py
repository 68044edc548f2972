from __future__ import annotations

import ast

import pytest

import workbench as wb
from workbench.demo.code import snippets


@pytest.mark.parametrize("part", ["split", "fit", "compare", "regions", "chips", "predict", "all"])
def test_the_code_on_the_page_uses_only_what_there_is(part):
    tree = ast.parse(snippets("bolivia", 5)[part])
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name) and node.value.id == "wb"}
    assert used <= set(wb.__all__)


def test_the_whole_script_defines_every_name_it_uses():
    tree = ast.parse(snippets("bolivia", 5)["all"])
    stored = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)
              and isinstance(node.ctx, ast.Store)} | {"wb"}
    loaded = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)
              and isinstance(node.ctx, ast.Load)}
    assert loaded <= stored
