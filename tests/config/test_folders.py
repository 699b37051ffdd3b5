"""From the disk: plain files only, all of a folder together, and never a wait."""

import os
from pathlib import Path

import pytest

from gateway.catalog.deployment import Deployment
from gateway.errors import ConfigError
from gateway.loading import load_catalog, read_sources

DEPLOYMENT = Deployment()
TEXT = "version: 1\ntasks: {%s: {}}\n"


def test_a_folder_is_read_file_by_file(tmp_path: Path) -> None:
    """Hidden files are not; links within the folder are, as Kubernetes mounts a ConfigMap."""
    (tmp_path / "..2026_11_24").mkdir()
    (tmp_path / "..2026_11_24" / "b.yaml").write_text(TEXT % "b")
    (tmp_path / "..data").symlink_to("..2026_11_24")
    (tmp_path / "b.yaml").symlink_to("..data/b.yaml")
    (tmp_path / "a.yaml").write_text(TEXT % "a")
    (tmp_path / ".hidden.yaml").write_text("nonsense")
    (tmp_path / "notes.txt").write_text("nonsense")
    (tmp_path / "a.yaml~").write_text("nonsense")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "c.yaml").write_text("nonsense")

    assert ["a", "b"] == list(load_catalog(tmp_path, DEPLOYMENT).task_types)


def test_a_single_file_may_have_any_name(tmp_path: Path) -> None:
    """It was named by somebody."""
    (tmp_path / "gateway.conf").write_text(TEXT % "a")

    assert ["a"] == list(load_catalog(tmp_path / "gateway.conf", DEPLOYMENT).task_types)


def make_nothing(path: Path) -> None:
    """Make no file."""


def make_writable(path: Path) -> None:
    """Make a file that anybody may write."""
    path.write_text("version: 1")
    path.chmod(0o666)


def make_misnamed(path: Path) -> None:
    """Make a folder whose file ends otherwise."""
    path.mkdir()
    (path / "tasks.yml").write_text("version: 1")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        pytest.param(make_nothing, "found no readable file: No such file or directory, wanted a tasks.yaml", id="missing"),
        pytest.param(os.mkfifo, "found something that is not a regular file, wanted a tasks.yaml", id="pipe"),
        pytest.param(Path.mkdir, "found a folder without *.yaml files, wanted at least one", id="empty folder"),
        pytest.param(make_misnamed, "found a folder without *.yaml files, wanted at least one (rename *.yml to *.yaml)",
                     id="folder of another suffix"),
        pytest.param(lambda path: path.symlink_to("/dev/zero"),
                     "found something that is not a regular file, wanted a tasks.yaml", id="/dev/zero"),
        pytest.param(lambda path: path.symlink_to(path),
                     "found no readable file: Too many levels of symbolic links, wanted a tasks.yaml", id="loop"),
        pytest.param(lambda path: path.symlink_to("gone"),
                     "found no readable file: No such file or directory, wanted a tasks.yaml", id="broken link"),
        pytest.param(make_writable,
                     "found a file that anybody may write, wanted one that only its owner may (chmod o-w {})", id="writable"),
    ],
)  # fmt: skip
def test_what_is_no_plain_file_is_refused_at_once(make: object, sentence: str, tmp_path: Path) -> None:
    """It neither blocks nor fills the memory."""
    path = tmp_path / "tasks.yaml"
    make(path)  # type: ignore[operator]

    with pytest.raises(ConfigError) as caught:
        read_sources(path)

    assert f"{path}:1:1: {sentence.format(path)}" == str(caught.value)


def test_a_name_that_no_disk_takes_is_no_traceback(tmp_path: Path) -> None:
    """It may come from a variable of the environment."""
    with pytest.raises(ConfigError, match=r"found no readable file: File name too long, wanted a tasks.yaml"):
        read_sources(tmp_path / ("x" * 300))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("make", [Path.touch, Path.mkdir], ids=["file", "folder"])
def test_what_may_not_be_read_is_said_to_be_so(make: object, tmp_path: Path) -> None:
    """A mount with the wrong owner is the usual reason."""
    path = tmp_path / "tasks.yaml"
    make(path)  # type: ignore[operator]
    path.chmod(0)

    with pytest.raises(ConfigError, match=r"found no readable file: Permission denied, wanted a tasks.yaml"):
        read_sources(path)


def test_every_file_of_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Not only the first."""
    (tmp_path / "a.yaml").mkdir()
    os.mkfifo(tmp_path / "b.yaml")
    (tmp_path / "c.yaml").write_text(TEXT % "c")
    (tmp_path / "d.yaml").symlink_to("..gone/d.yaml")

    with pytest.raises(ConfigError) as caught:
        read_sources(tmp_path)

    assert [
        f"{tmp_path}/a.yaml:1:1: found something that is not a regular file, wanted a tasks.yaml",
        f"{tmp_path}/b.yaml:1:1: found something that is not a regular file, wanted a tasks.yaml",
        f"{tmp_path}/d.yaml:1:1: found no readable file: No such file or directory, wanted a tasks.yaml",
    ] == str(caught.value).splitlines()


def test_a_large_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    """A gigabyte by mistake costs a mebibyte."""
    path = tmp_path / "tasks.yaml"
    with path.open("wb") as file:
        file.truncate(2**30)

    with pytest.raises(ConfigError, match="found more than 1 MiB, wanted a smaller file, or a folder of several"):
        load_catalog(path, DEPLOYMENT)
