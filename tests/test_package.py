"""The package as a newcomer imports and installs it."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import workbench as wb

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "workbench"
# Imported only where the extra [lab] has them: the widgets, and the doctor who looks for them.
LAB_ONLY = ("widgets", "checkup.py")
# A method of xarray objects, and the engine of GeoParquet.
USED_WITHOUT_IMPORT = {"rioxarray", "pyarrow"}


def imports(file: Path) -> set[str]:
    """Return the top-level names that a file imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def third_party(files: list[Path]) -> set[str]:
    """Return the distributions, by their lower-case names, that the files import."""
    distributions = importlib.metadata.packages_distributions()
    names = set().union(*map(imports, files)) - set(sys.stdlib_module_names) - {"workbench"}
    return {re.sub(r"[_.]", "-", distributions.get(name, [name])[0].lower()) for name in names}


def declared(extra: str = "") -> set[str]:
    """Return the names of the core requirements, or of those that an extra adds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = project["optional-dependencies"][extra] if extra else project["dependencies"]
    return {Requirement(line).name.lower() for line in lines}


def test_import_loads_none_of_the_heavy_packages():
    code = "import sys, workbench; print(*(name for name in sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {"torch", "numpy", "xarray", "rasterio", "matplotlib", "leafmap", "IPython", "pandas"}
    assert heavy.isdisjoint(result.stdout.split())


def test_every_public_name_is_there():
    for name in wb.__all__:
        assert getattr(wb, name) is not None, name


def test_type_checkers_see_the_same_names_as_the_lazy_import():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    block = next(
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    typed = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed.pop("errors") == "workbench"
    assert typed == wb._HOME
    assert sorted(wb.__all__) == sorted({*typed, "errors"})


def test_no_module_has_the_name_of_a_verb():
    """`import workbench.fit` would put the module where the function is looked for."""
    modules = {path.stem for path in PACKAGE.iterdir()}
    assert modules.isdisjoint(set(wb.__all__) - {"errors"})


def test_dir_lists_what_was_not_imported_yet():
    code = "import workbench; print(*dir(workbench))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert set(wb.__all__) <= set(result.stdout.split())


@pytest.mark.parametrize(
    ("written", "meant"),
    [("lora", "LoRA"), ("opencatalog", "open_catalog"), ("predicts", "predict")],
)
def test_a_misspelt_name_is_answered_with_the_nearest(written, meant):
    with pytest.raises(
        AttributeError, match=f"has no attribute '{written}'. Did you mean '{meant}'"
    ):
        getattr(wb, written)


def test_core_modules_need_core_dependencies_only():
    files = [
        file for file in PACKAGE.rglob("*.py") if file.relative_to(PACKAGE).parts[0] not in LAB_ONLY
    ]
    assert third_party(files) - declared() == set()


def test_widgets_need_nothing_beyond_the_lab_extra():
    assert third_party(list(PACKAGE.rglob("*.py"))) - declared() - declared("lab") <= {
        "jupyter-core", "traitlets",  # parts of every JupyterLab
    }


def test_every_core_dependency_is_used():
    used = third_party(list(PACKAGE.rglob("*.py"))) | USED_WITHOUT_IMPORT
    assert declared() - used == set()


def test_requirements_are_ranges_and_carry_their_reason():
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    start = lines.index("dependencies = [") + 1
    for line in lines[start : lines.index("]", start)]:
        assert re.fullmatch(r'    "[a-z0-9-]+>=[\d.]+", +# .+', line), line


def test_no_file_of_the_package_is_longer_than_400_lines():
    long = {
        str(file.relative_to(ROOT)): count
        for file in PACKAGE.rglob("*.py")
        if (count := len(file.read_text().splitlines())) > 400
    }
    assert long == {}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps", "--no-build-isolation",
               "--quiet", "--disable-pip-version-check", "-w", str(folder)]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, text=True)
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_carries_catalogue_notebooks_and_weights_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert "workbench/data_catalog/catalog.json" in names
    assert "workbench/data_catalog/simulated-floods/collection.json" in names
    assert "workbench/notebooks/01_quickstart.ipynb" in names
    assert "workbench/models/pretrained/workbench_tiny.safetensors" in names
    assert "workbench/py.typed" in names
    tops = {name.split("/")[0] for name in names}
    assert tops == {"workbench", f"workbench-{wb.__version__}.dist-info"}
    unwanted = re.compile(r"__pycache__|\.ipynb_checkpoints|/tests?/|\.DS_Store")
    assert [name for name in names if unwanted.search(name)] == []


@pytest.mark.slow
def test_the_unpacked_wheel_works_without_the_repository(wheel, tmp_path):
    installed = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(installed)
    code = (
        f"import sys; sys.path[:0] = [{str(installed)!r}]\n"
        "import workbench as wb, json\n"
        "from workbench.lab import copy_notebooks\n"
        "from pathlib import Path\n"
        "copies = [path.name for path in copy_notebooks(Path('here'))]\n"
        "print(json.dumps([wb.__file__, list(wb.open_catalog()), copies]))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    file, catalog, copies = json.loads(result.stdout)
    assert Path(file).parent == installed / "workbench"
    assert "simulated-floods" in catalog
    assert "01_quickstart.ipynb" in copies
    assert (tmp_path / "here" / "01_quickstart.ipynb").exists()


def test_the_command_is_installed():
    assert (Path(sysconfig.get_path("scripts")) / "workbench").exists()
