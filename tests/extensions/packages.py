"""Packages that pip can install, each a wheel of one module and its entry points, and environments to put them in."""

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path


def write_wheel(folder, name, source, *, version="1.0", **groups):
    """Write a wheel of a module `name` with these entry points, by the last part of their group's name; return it."""
    info = f"{name}-{version}.dist-info"
    lines = [
        line
        for group, points in groups.items()
        for line in (f"[nqperf.{group}]", *(f"{point} = {value}" for point, value in points.items()))
    ]
    files = {
        f"{name}.py": source,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "\n".join(lines) + "\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for file, content in files.items():
            wheel.writestr(file, content)
    return path


def fresh_environment(folder, *, renamed=None, without=()):
    """Make an environment that has what this one has, for packages of its own to be installed in; return its Python.

    Of `renamed` = (old, new), the distribution of the one name has the other there; None takes its name away. Modules
    `without` which it is are not there, nor are their distributions.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    inside = Path(sysconfig.get_path("purelib", "venv", vars={"base": str(folder), "platbase": str(folder)}))
    library = Path(sysconfig.get_path("stdlib"))
    found = [path for path in sys.path if Path(path).is_dir() and Path(path) not in {library, library / "lib-dynload"}]
    if renamed is not None:
        found = [str(_mirrored(Path(path), folder / f"mirror{number}", *renamed)) for number, path in enumerate(found)]
    found = [str(_left_out(Path(path), folder / f"part{number}", without)) for number, path in enumerate(found)]
    (inside / "outside.pth").write_text("".join(f"{path}\n" for path in found))
    return folder / "bin" / "python"


def _mirrored(path, mirror, old, new):
    """Return a folder of packages as it is, where it has the distribution `old` one of links in which that is `new`."""
    names = list(path.glob(f"{old}-*.dist-info"))
    if not names:
        return path
    mirror.mkdir()
    for entry in path.iterdir():
        if entry not in names:
            (mirror / entry.name).symlink_to(entry)
    if new is not None:
        info = mirror / names[0].name.replace(old, new.replace("-", "_"), 1)
        info.mkdir()
        text = (names[0] / "METADATA").read_text()
        (info / "METADATA").write_text(text.replace(f"\nName: {old}\n", f"\nName: {new}\n", 1))
    return mirror


def _left_out(path, part, modules):
    """Return a folder of packages as it is, where it has one of `modules` one of links to all else."""
    gone = {entry for name in modules for entry in (path / name, *path.glob(f"{name}-*.dist-info")) if entry.exists()}
    if not gone:
        return path
    part.mkdir()
    for entry in path.iterdir():
        if entry not in gone:
            (part / entry.name).symlink_to(entry)
    return part


def install(python, *wheels):
    """Install wheels with pip, which need nothing else."""
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*command, "--force-reinstall", *map(str, wheels)], check=True, timeout=120)
