"""`deploy/`: manifests as kustomize renders them, and the compose file. The alert rules are in `test_alerts`."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import kubernetes_validate
import pytest
import yaml

from gateway import service, settings

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
OVERLAYS = sorted(folder.name for folder in (DEPLOY / "overlays").iterdir())
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
MOUNTED = {
    "/etc/gateway/registry": "",
    "/etc/gateway/keys": "signing.json client.json core-jwks.json webhooks.json",
}
MADE_UP = {
    "GATEWAY_DATABASE_URL": "postgresql://u:p@h/n",
    "GATEWAY_QUOTA_URL": "rediss://:p@h:6379/0",
}
Manifest = dict[str, Any]


def rendered(overlay: str) -> list[Manifest]:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl, which brings kustomize, is not here")
    command = [kubectl, "kustomize", str(DEPLOY / "overlays" / overlay)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def one(manifests: list[Manifest], *kinds: str) -> Manifest:
    (found,) = [manifest for manifest in manifests if manifest["kind"] in kinds]
    return found


def pod(manifests: list[Manifest]) -> Manifest:
    spec: Manifest = one(manifests, "Deployment", "StatefulSet")["spec"]["template"]["spec"]
    return spec


def environment(manifests: list[Manifest]) -> dict[str, str]:
    """What the gateway's container is given, with a made-up value for each secret."""
    own = {
        row["name"]: row.get("value", MADE_UP.get(row["name"]))
        for row in pod(manifests)["containers"][0]["env"]
    }
    return {**one(manifests, "ConfigMap")["data"], **own}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_manifest_fits_its_schema(overlay: str) -> None:
    for manifest in rendered(overlay):
        if manifest["apiVersion"] == "route.openshift.io/v1":
            assert set(manifest["spec"]) == {"host", "to", "port", "tls"}
            continue
        kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_pod_may_do_nothing_but_serve(overlay: str) -> None:
    spec = pod(rendered(overlay))
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["automountServiceAccountToken"] is False
    assert {"requests", "limits"} <= set(container["resources"])
    assert re.search(r":\d", container["image"])
    assert ("runAsUser" in spec["securityContext"]) == (overlay != "openshift")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_settings_are_the_gateways(overlay: str, tmp_path: Path) -> None:
    manifests = rendered(overlay)
    mounts = {mount["mountPath"] for mount in pod(manifests)["containers"][0]["volumeMounts"]}
    assert set(MOUNTED) <= mounts
    for folder, names in MOUNTED.items():
        (tmp_path / folder[1:]).mkdir(parents=True)
        for name in names.split():
            (tmp_path / folder[1:] / name).touch()
    here = {n: v.replace("/etc/", f"{tmp_path}/etc/") for n, v in environment(manifests).items()}
    settings.require_complete(settings.load(here))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_pod_is_given_the_time_that_a_stop_takes(overlay: str) -> None:
    manifests = rendered(overlay)
    spec = pod(manifests)
    made = settings.load(
        {n: v for n, v in environment(manifests).items() if not n.endswith(("_FILE", "_DIR"))}
    )
    pause = int(spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert spec["terminationGracePeriodSeconds"] >= pause + made.stop_grace + 10


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_probes_and_policies_meet_the_gateway(overlay: str) -> None:
    manifests = rendered(overlay)
    (container,) = pod(manifests)["containers"]
    paths = {name: container[name]["httpGet"]["path"] for name in container if name.endswith("Probe")}
    assert paths == {
        "startupProbe": "/health/live",
        "livenessProbe": "/health/live",
        "readinessProbe": "/health/ready",
    }
    labels = one(manifests, "Deployment", "StatefulSet")["spec"]["template"]["metadata"]["labels"]
    assert one(manifests, "Service")["spec"]["selector"] == labels
    policies = [m["spec"] for m in manifests if m["kind"] == "NetworkPolicy"]
    assert all(policy["podSelector"]["matchLabels"] == labels for policy in policies)
    ports = {port["port"] for policy in policies for rule in policy["egress"] for port in rule["ports"]}
    secrets = {
        row["name"]: row["valueFrom"]["secretKeyRef"] for row in container["env"] if "valueFrom" in row
    }
    if overlay == "single":
        assert not secrets and not ports & {5432, 6379}
    else:
        assert secrets == {
            "GATEWAY_DATABASE_URL": {"name": "gateway-database", "key": "url"},
            "GATEWAY_QUOTA_URL": {"name": "gateway-quota", "key": "url", "optional": True},
        }
        assert {5432, 6379} <= ports


def test_one_process_on_sqlite_and_three_on_postgresql() -> None:
    single = one(rendered("single"), "StatefulSet")["spec"]
    assert single["replicas"] == 1 and single["volumeClaimTemplates"]
    replicas = rendered("replicas")
    least = one(replicas, "HorizontalPodAutoscaler")["spec"]["minReplicas"]
    assert one(replicas, "Deployment")["spec"]["replicas"] == least == 3
    assert one(replicas, "PodDisruptionBudget")["spec"]["minAvailable"] < least


def test_no_manifest_holds_a_secret() -> None:
    for overlay in OVERLAYS:
        assert not [manifest for manifest in rendered(overlay) if manifest["kind"] == "Secret"]


def test_compose_starts_a_gateway_with_known_settings(tmp_path: Path) -> None:
    once = COMPOSE["services"]["keys"]
    command = [sys.executable, *once["entrypoint"][1:], *once["command"]]
    for _ in range(2):  # the second time all is left alone
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr.decode()
    environ = {
        name: re.sub(r"^sandbox/", f"{tmp_path}/sandbox/", value)
        for name, value in COMPOSE["services"]["gateway"]["environment"].items()
    }
    made = settings.load(environ)
    settings.require_complete(made)
    assert len(service.read_registry(made).publishers) == 2
    assert urlsplit(made.quota_url).password == COMPOSE["services"]["quota"]["command"][-1]
    assert urlsplit(made.quota_url).hostname in COMPOSE["services"]
    keys = service.read_keys(made)
    assert keys.core.client_id == made.core_client_id and keys.webhooks is not None
    core = COMPOSE["services"]["core"]
    assert core["network_mode"] == "service:gateway" and made.base_url in core["command"]
    period = COMPOSE["services"]["gateway"]["stop_grace_period"]
    assert int(period.removesuffix("s")) > made.stop_grace


def test_compose_runs_everything_without_rights() -> None:
    for name in ("keys", "core", "gateway"):
        service = COMPOSE["services"][name]
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert service["volumes"] == ["gateway:/var/lib/gateway"], name
    known = set(COMPOSE["services"])
    assert all(set(service.get("depends_on", ())) <= known for service in COMPOSE["services"].values())
    assert all(re.search(r":\d", service["image"]) for service in COMPOSE["services"].values())


def test_the_image_writes_to_its_volume_only() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    told = {line.partition(" ")[0]: line.partition(" ")[2] for line in lines if line[:1].isupper()}
    assert told["USER"] == "10001:10001"
    assert told["VOLUME"] == told["WORKDIR"] == "/var/lib/gateway"
    assert any("GATEWAY_HOST=0.0.0.0" in line for line in lines), (
        "the loopback interface of a pod serves nobody"
    )
    copied = {line.split()[1] for line in lines if line.startswith("COPY ")}
    assert {"docs", "openapi", "schemas", "publishers", "gateway"} <= copied
