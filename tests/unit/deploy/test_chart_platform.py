"""Disruption, network, entry, watching, extras: what each value of the chart does to the objects."""

from __future__ import annotations

from deploy.manifests.chart import notes
from deploy.manifests.policy import violations
from tests.unit.deploy.objects import REDIS, pool, released


def test_every_part_has_a_disruption_budget_that_can_be_turned_off() -> None:
    objects = released({"pools": {"default": {}, "fast": {"pdb": {"maxUnavailable": "10%"}}}})
    for part in ("gateway", "router", "worker-default", "worker-fast"):
        assert objects.has("PodDisruptionBudget", part)
    assert objects.one("PodDisruptionBudget", "worker-fast")["spec"]["maxUnavailable"] == "10%"
    without = released({"gateway": {"pdb": {"enabled": False}}})
    assert not without.has("PodDisruptionBudget", "-gateway")


def test_budgets_and_services_choose_the_pods_of_their_part_alone() -> None:
    objects = released({"pools": {"default": {}, "fast": {}}})
    for kind, path in (("PodDisruptionBudget", ("selector", "matchLabels")), ("Service", ("selector",))):
        chosen = objects.one(kind, "worker-fast")["spec"]
        for step in path:
            chosen = chosen[step]
        labels = objects.one("Deployment", "worker-fast")["spec"]["template"]["metadata"]["labels"]
        others = objects.one("Deployment", "worker-default")["spec"]["template"]["metadata"]["labels"]
        assert chosen.items() <= labels.items()
        assert not chosen.items() <= others.items()


def test_only_gateways_reach_routers_and_nobody_reaches_workers() -> None:
    objects = released({"networkPolicy": {"metricsFrom": [{"podSelector": {"matchLabels": {"a": "b"}}}]}})
    router = objects.one("NetworkPolicy", "-router")["spec"]["ingress"][0]["from"]
    assert router[0]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "gateway"
    worker = objects.one("NetworkPolicy", "-worker")["spec"]["ingress"]
    assert worker == [
        {
            "ports": [{"protocol": "TCP", "port": "http"}],
            "from": [{"podSelector": {"matchLabels": {"a": "b"}}}],
        }
    ]


def test_egress_is_names_redis_and_what_is_added() -> None:
    policy = {
        "redisPorts": [6380],
        "redisTo": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
        "extraEgress": [{"to": []}],
    }
    egress = released({"networkPolicy": policy}).one("NetworkPolicy", "-worker")["spec"]["egress"]
    assert egress[0]["ports"][0]["port"] == 53
    assert egress[1] == {
        "ports": [{"protocol": "TCP", "port": 6380}],
        "to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
    }
    assert egress[2] == {"to": []}


def test_network_policies_can_be_turned_off() -> None:
    assert not released({"networkPolicy": {"enabled": False}}).has("NetworkPolicy")


def test_an_ingress_lets_sockets_live_long() -> None:
    values = {"ingress": {"enabled": True, "hosts": ["a.example"], "timeoutSeconds": 7200}}
    ingress = released(values).one("Ingress")
    annotations = ingress["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"] == "7200"
    assert annotations["nginx.ingress.kubernetes.io/proxy-send-timeout"] == "7200"
    assert ingress["spec"]["rules"][0]["host"] == "a.example"


def test_annotations_of_nginx_are_for_nginx_only() -> None:
    values = {"ingress": {"enabled": True, "hosts": ["a"], "className": "haproxy"}}
    assert "annotations" not in released(values).one("Ingress")["metadata"]


def test_a_route_has_no_time_limit() -> None:
    route = released({"httpRoute": {"enabled": True, "parentRefs": [{"name": "g"}]}}).one("HTTPRoute")
    assert route["spec"]["rules"][0]["timeouts"] == {"request": "0s", "backendRequest": "0s"}
    assert route["spec"]["rules"][0]["backendRefs"] == [{"name": "rattil-gateway", "port": 80}]


def test_pods_are_spread_over_zones_and_nodes() -> None:
    spread = released().pod("gateway")["topologySpreadConstraints"]
    assert [rule["topologyKey"] for rule in spread] == [
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    ]


def test_a_service_monitor_finds_the_metrics_services_and_no_other() -> None:
    objects = released({"monitoring": {"serviceMonitor": {"enabled": True, "labels": {"release": "p"}}}})
    monitor = objects.one("ServiceMonitor")
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    found = [i for i in objects.items if i["kind"] == "Service" and wanted <= i["metadata"]["labels"].items()]
    assert {i["metadata"]["name"] for i in found} == {
        "rattil-gateway-admin",
        "rattil-router",
        "rattil-worker-default",
    }
    assert {i["spec"]["ports"][0]["name"] for i in found} == {monitor["spec"]["endpoints"][0]["port"]}
    assert monitor["metadata"]["labels"]["release"] == "p"


def test_nothing_of_an_operator_is_made_unless_asked_for() -> None:
    kinds = {item["apiVersion"].split("/")[0] for item in released().items}
    assert not kinds & {"keda.sh", "monitoring.coreos.com", "gateway.networking.k8s.io"}


def test_helm_test_recites_to_the_gateways_of_the_release() -> None:
    pod = released({"tests": {"tokenSecret": {"name": "t", "key": "k"}}}).one("Pod", "-test-recite")
    container = pod["spec"]["containers"][0]
    assert container["args"][-1] == "ws://rattil-gateway:80"
    assert container["env"][0]["valueFrom"] == {"secretKeyRef": {"name": "t", "key": "k"}}
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"


def test_the_test_pod_is_no_gateway() -> None:
    objects = released()
    selector = objects.one("Service", "-gateway")["spec"]["selector"]
    labels = objects.one("Pod", "-test-recite")["metadata"]["labels"]
    assert not selector.items() <= labels.items()


def test_notes_warn_of_what_is_open() -> None:
    assert "everybody" not in notes(REDIS | {"auth": {"existingSecret": "k"}})
    assert "auth.existingSecret is empty" in notes(REDIS)
    assert "without persistence" in notes({"redis": {"dev": {"enabled": True}}})


def test_names_follow_the_override_everywhere() -> None:
    objects = released({"fullnameOverride": "recite"})
    assert all(item["metadata"]["name"].startswith("recite") for item in objects.items)
    assert objects.variables("gateway")["ROUTER_URL"] == "http://recite-router:8100"


def test_common_labels_are_on_every_object_and_pod() -> None:
    objects = released({"commonLabels": {"team": "t"}})
    assert all(item["metadata"]["labels"]["team"] == "t" for item in objects.items)
    pod_labels = objects.one("Deployment", "-router")["spec"]["template"]["metadata"]["labels"]
    assert pod_labels["team"] == "t"


def test_an_account_of_one_s_own() -> None:
    objects = released({"serviceAccount": {"create": False, "name": "mine"}})
    assert not objects.has("ServiceAccount")
    assert objects.pod("router")["serviceAccountName"] == "mine"


def test_extras_reach_the_pod() -> None:
    extras = {
        "extraEnv": [{"name": "A", "value": "1"}],
        "extraEnvFrom": [{"secretRef": {"name": "s"}}],
        "extraVolumes": [{"name": "v", "configMap": {"name": "c"}}],
        "extraVolumeMounts": [{"name": "v", "mountPath": "/v"}],
        "initContainers": [{"name": "i", "image": "i:1"}],
        "sidecars": [{"name": "s", "image": "s:1"}],
        "podLabels": {"l": "1"},
        "podAnnotations": {"n": "1"},
    }
    objects = released({"gateway": extras, "router": extras, **pool(**extras)})
    for part in ("gateway", "router", "worker-default"):
        pod, container = objects.pod(part), objects.container(part)
        assert {"name": "A", "value": "1"} in container["env"]
        assert container["envFrom"][1] == {"secretRef": {"name": "s"}}
        assert pod["volumes"][-1]["name"] == container["volumeMounts"][-1]["name"] == "v"
        assert [c["name"] for c in pod["initContainers"]] == ["i"]
        assert pod["containers"][1]["name"] == "s"
        meta = objects.one("Deployment", part)["spec"]["template"]["metadata"]
        assert meta["labels"]["l"] == meta["annotations"]["n"] == "1"


def test_every_pod_of_the_default_release_is_restricted() -> None:
    assert [line for item in released().items for line in violations(item)] == []
