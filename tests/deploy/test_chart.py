"""The chart renders, and Kubernetes accepts what it renders."""

from typing import Any

import jsonschema
import pytest
import yaml

from tests.deploy.files import CHART, PROJECT, read_yaml

EVERYTHING: dict[str, Any] = {
    "autoscaling": {"enabled": True, "metric": "waits"},
    "metrics": {"serviceMonitor": True},
    "secretSettings": [{"name": "LLX_MCP_REDIS_URL", "secretName": "redis", "secretKey": "url"}],
    "secretFiles": [{"name": "tokens", "secretName": "tokens"}],
}
KUBERNETES = ("1.27.0", "1.33.0")


def render(values: dict[str, Any]) -> dict[str, Any]:
    """Return the objects of a release, by kind."""
    helm = pytest.importorskip("helm_python", reason="Helm is not installed: pip install --group deploy")
    with helm.Chart.load(str(CHART)) as chart:
        texts = chart.render(values, name="demo", namespace="company")
    objects = [yaml.safe_load(text) for text in texts.values()]
    return {one["kind"]: one for one in objects if one}


def test_linter_finds_no_error() -> None:
    helm = pytest.importorskip("helm_python", reason="Helm is not installed: pip install --group deploy")
    assert helm.lint(str(CHART))["errors"] == []


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_kubernetes_accepts_every_object(values: dict[str, Any], version: str) -> None:
    kubernetes = pytest.importorskip("kubernetes_validate", reason="not installed: pip install --group deploy")
    objects = render(values)
    # Its schema is that of the Prometheus operator.
    objects.pop("ServiceMonitor", None)
    assert len(objects) >= 5
    for one in objects.values():
        kubernetes.validate(one, version, strict=True)


def test_container_runs_without_rights_and_within_limits() -> None:
    pod = render({})["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert (pod["securityContext"]["runAsNonRoot"], pod["automountServiceAccountToken"]) == (True, False)
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "memory" in container["resources"]["limits"]
    assert {probe["httpGet"]["path"] for name, probe in container.items() if name.endswith("Probe")} == {
        "/healthz",
        "/readyz",
    }
    assert container["image"] == f"llx-mcp:{PROJECT['version']}"


def test_pod_has_longer_to_stop_than_the_server() -> None:
    for grace in ("10", "45"):
        settings = {"LLX_MCP_HTTP_GRACE_SECONDS": grace}
        pod = render({"settings": settings})["Deployment"]["spec"]["template"]["spec"]
        assert pod["terminationGracePeriodSeconds"] >= int(grace) + 10


def test_secrets_come_by_reference() -> None:
    pod = render(EVERYTHING)["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    environment = {variable["name"]: variable for variable in container["env"]}
    assert environment["LLX_MCP_REDIS_URL"]["valueFrom"] == {"secretKeyRef": {"name": "redis", "key": "url"}}
    assert {"name": "tokens", "mountPath": "/etc/llx-mcp/tokens", "readOnly": True} in container["volumeMounts"]
    assert {"name": "tokens", "secret": {"secretName": "tokens"}} in pod["volumes"]


def test_autoscaling_counts_waits_or_processor() -> None:
    assert "HorizontalPodAutoscaler" not in render({})
    (waits,) = render(EVERYTHING)["HorizontalPodAutoscaler"]["spec"]["metrics"]
    assert waits["pods"]["metric"]["name"] == "llx_mcp_waits_open"
    (cpu,) = render({"autoscaling": {"enabled": True}})["HorizontalPodAutoscaler"]["spec"]["metrics"]
    assert cpu["resource"]["name"] == "cpu"
    assert "replicas" not in render(EVERYTHING)["Deployment"]["spec"]


def test_default_values_satisfy_their_schema() -> None:
    jsonschema.validate(read_yaml(CHART / "values.yaml"), read_yaml(CHART / "values.schema.json"))


@pytest.mark.parametrize(
    "change",
    [
        {"image": {"repository": "llx-mcp", "tag": "latest"}},
        {"settings": {}},
        {"settings": {"LLX_MCP_AUTH": "none"}},
        {"settings": {"LLX_MCP_AUTH": "tokens", "LLAMA_CLOUD_API_KEY": "llx-key"}},
        {"settings": {"LLX_MCP_AUTH": "tokens", "LLX_MCP_REDIS_URL": "redis://:password@redis"}},
        {"replica": 3},
    ],
)
def test_values_that_would_not_work_or_hold_a_secret_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(read_yaml(CHART / "values.yaml") | change, read_yaml(CHART / "values.schema.json"))
