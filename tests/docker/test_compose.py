"""The compose file: valid, and every service shut in."""

from __future__ import annotations

import re
import subprocess
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.images.dockerfile import Stage

SCRIPTS = Path(sysconfig.get_path("scripts"))
ENDS = ("search",)
"""Services that are jobs."""
DIGEST = re.compile(r".+:[0-9.]+-[a-z]+@sha256:[0-9a-f]{64}")


def schema_check(file: Path) -> subprocess.CompletedProcess[str]:
    command = [SCRIPTS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", file]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_file_follows_the_specification(docker: Path, tmp_path: Path) -> None:
    assert schema_check(docker / "compose.yaml").returncode == 0
    wrong = tmp_path / "compose.yaml"
    wrong.write_text((docker / "compose.yaml").read_text().replace("read_only: true", "read-only: true"))
    assert schema_check(wrong).returncode == 1


def test_services_are_those_that_are_documented(compose: Mapping[str, Any]) -> None:
    plain = {name for name, service in compose["services"].items() if "profiles" not in service}
    assert plain == {"postgres", "api", "worker", "nightly"}


def test_every_service_is_shut_in(compose: Mapping[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"] and "cap_add" not in service and "privileged" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        user, group = map(int, service["user"].split(":"))
        assert user > 0 and group > 0, name
        assert any(mount.split(":")[0] == "/tmp" for mount in service["tmpfs"]), name
        assert all(":/var/run/docker.sock" not in volume for volume in service.get("volumes", ())), name


def test_every_service_is_watched(compose: Mapping[str, Any], stages: Mapping[str, Stage]) -> None:
    for name, service in compose["services"].items():
        if name in ENDS:
            continue
        assert service["restart"] == "unless-stopped"
        if "healthcheck" not in service:
            check = stages[service["build"]["target"]].last("HEALTHCHECK")
            assert check is not None and check.text != "NONE", name


def test_images_are_ours_or_pinned(compose: Mapping[str, Any], stages: Mapping[str, Stage], docker: Path) -> None:
    for name, service in compose["services"].items():
        if "build" not in service:
            assert DIGEST.fullmatch(service["image"]), name
            continue
        build = service["build"]
        assert (docker / build["context"] / build["dockerfile"]).resolve() == docker / "Dockerfile"
        assert build["target"] in stages and service["image"] == f"hyctas/{build['target']}"


def test_secrets_are_files_only(compose: Mapping[str, Any], docker: Path, tmp_path: Path) -> None:
    done = subprocess.run([docker / "make-secrets.sh", tmp_path / "secrets"], timeout=60, check=True)
    assert done.returncode == 0
    for name, secret in compose["secrets"].items():
        assert secret == {"file": f"secrets/{name}"} and (tmp_path / "secrets" / name).is_file()
    used = {secret for service in compose["services"].values() for secret in service.get("secrets", ())}
    assert used == set(compose["secrets"])
    for name, service in compose["services"].items():
        for variable, value in service.get("environment", {}).items():
            if re.search("DB|KEY|PASSWORD|SECRET|TOKEN", variable) and variable != "POSTGRES_DB":
                assert variable.endswith("_FILE") and value.removeprefix("/run/secrets/") in service["secrets"], name


def test_only_the_interface_is_published_and_only_to_this_host(compose: Mapping[str, Any]) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert published == {"api": ["${HYCTAS_LISTEN:-127.0.0.1:8000}:8000"]}
    assert compose["networks"]["inside"] == {"internal": True}


def test_volumes_and_networks_exist(compose: Mapping[str, Any], docker: Path) -> None:
    for service in compose["services"].values():
        for volume in service.get("volumes", ()):
            source, _, *mode = volume.split(":")
            assert source in compose["volumes"] or ((docker / source).is_file() and mode == ["ro"])
        assert set(service["networks"]) <= set(compose["networks"])


def test_secrets_are_made_once_and_closed_to_others(docker: Path, tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    first = subprocess.run([docker / "make-secrets.sh", folder], capture_output=True, text=True, timeout=60)
    made = {file.name: file.read_text() for file in folder.iterdir()}
    again = subprocess.run([docker / "make-secrets.sh", folder], capture_output=True, text=True, timeout=60)
    assert (first.returncode, again.returncode) == (0, 0)
    assert {file.name: file.read_text() for file in folder.iterdir()} == made
    assert folder.stat().st_mode & 0o777 == 0o700
    password = made["postgres_password"].strip()
    assert len(password) == 48 and made["database_url"] == f"postgresql://hyctas:{password}@postgres/hyctas\n"
    assert made["api_keys"] == made["api_key"] and made["api_key"].strip() != password
    assert not any(value.strip() in first.stdout + again.stdout for value in made.values())


def test_secrets_of_two_places_differ(docker: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        subprocess.run([docker / "make-secrets.sh", tmp_path / name], check=True, timeout=60, capture_output=True)
    assert (tmp_path / "a/api_key").read_text() != (tmp_path / "b/api_key").read_text()


@pytest.mark.parametrize("service", ["worker", "worker-gpu", "nightly"])
def test_containers_that_measure_share_the_locks_of_devices(service: str, compose: Mapping[str, Any]) -> None:
    assert "locks:/locks" in compose["services"][service]["volumes"]
