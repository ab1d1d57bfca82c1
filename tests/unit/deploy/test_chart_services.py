"""Redis, gateways, routers and images: what each value of the chart does to the objects."""

from __future__ import annotations

import base64

import pytest

from shared.bus.redis_addresses import parse_urls
from shared.service.service_keys import parse_service_keys
from tests.unit.deploy.objects import pool, released


def test_redis_url_reaches_every_service() -> None:
    objects = released({"redis": {"url": "redis://r:6379/3"}})
    for part in ("gateway", "router", "worker-default"):
        assert objects.variables(part)["REDIS_URL"] == "redis://r:6379/3"


def test_a_secret_may_hold_the_whole_url_and_the_control_url() -> None:
    objects = released({"redis": {"existingSecret": {"name": "s", "controlKey": "c"}}})
    variables = objects.variables("gateway")
    assert variables["REDIS_URL"] == {"secretKeyRef": {"name": "s", "key": "redis-url"}}
    assert variables["CONTROL_REDIS_URL"] == {"secretKeyRef": {"name": "s", "key": "c"}}


def test_shards_become_one_list_in_order() -> None:
    objects = released({"redis": {"shards": ["b:6379", "a:6379/1"]}})
    assert objects.variables("router")["REDIS_URL"] == "redis://b:6379,redis://a:6379/1"


def test_tls_user_and_password_of_shards_come_from_the_environment() -> None:
    redis = {
        "shards": ["a:6380"],
        "tls": True,
        "username": "u",
        "passwordSecret": {"name": "acl", "key": "pw"},
    }
    variables = released({"redis": redis}).variables("gateway")
    assert variables["REDIS_URL"] == "rediss://u:$(REDIS_PASSWORD)@a:6380"
    assert variables["REDIS_PASSWORD"] == {"secretKeyRef": {"name": "acl", "key": "pw"}}
    # $(NAME) is only replaced by variables that stand before it.
    names = [entry["name"] for entry in released({"redis": redis}).container("gateway")["env"]]
    assert names.index("REDIS_PASSWORD") < names.index("REDIS_URL")


def test_sentinels_watch_one_shard_a_service_as_the_services_read_it() -> None:
    redis = {"sentinel": {"hosts": ["s1:26379", "s2:26379"], "services": ["a", "b/1"]}, "tls": True}
    url = str(released({"redis": redis}).variables("gateway")["REDIS_URL"])
    assert url == "rediss+sentinel://s1:26379,s2:26379/a,rediss+sentinel://s1:26379,s2:26379/b/1"
    assert len(parse_urls(url)) == 2


def test_routers_ask_for_the_key_that_gateways_send() -> None:
    objects = released({"router": {"apiKeys": {"existingSecret": "s", "key": "k"}}})
    key = {"secretKeyRef": {"name": "s", "key": "k"}}
    assert (
        objects.variables("gateway")["ROUTER_API_KEYS"]
        == objects.variables("router")["ROUTER_API_KEYS"]
        == key
    )
    assert not objects.has("Secret")


def test_without_a_secret_a_key_is_made_that_the_services_take() -> None:
    objects = released()
    name = objects.variables("router")["ROUTER_API_KEYS"]["secretKeyRef"]["name"]
    secret = objects.one("Secret", name)
    assert secret["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    key = base64.b64decode(secret["data"]["router-api-keys"]).decode()
    assert parse_service_keys(key) == (key,)


def test_control_redis_may_be_another_one() -> None:
    objects = released({"redis": {"url": "redis://a:1/0", "controlUrl": "redis://c:1/0"}})
    assert objects.variables("worker-default")["CONTROL_REDIS_URL"] == "redis://c:1/0"


def test_dev_redis_never_evicts_and_is_reached_by_its_service() -> None:
    objects = released({"redis": {"dev": {"enabled": True}}})
    args = objects.container("redis")["args"]
    assert args[args.index("--maxmemory-policy") + 1] == "noeviction"
    assert objects.variables("gateway")["REDIS_URL"] == "redis://rattil-redis:6379/0"
    assert objects.has("Service", "-redis")


def test_there_is_no_redis_unless_asked_for() -> None:
    assert not released().has("Deployment", "-redis")


def test_gateways_ask_the_routers_of_the_release() -> None:
    variables = released({"router": {"port": 8123}}).variables("gateway")
    assert variables["ROUTER_URL"] == "http://rattil-router:8123"


@pytest.mark.parametrize("part", ["gateway", "router", "worker-default"])
def test_grace_is_longer_than_pause_and_drain(part: str) -> None:
    times = {"drainSeconds": 90, "preStopSeconds": 15}
    objects = released({"gateway": times, "router": times, "poolDefaults": times})
    assert objects.pod(part)["terminationGracePeriodSeconds"] > 90 + 15
    assert objects.container(part)["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "15"]


def test_drain_times_reach_the_services() -> None:
    objects = released(
        {"gateway": {"drainSeconds": 77}, "router": {"drainSeconds": 8}, **pool(drainSeconds=55)}
    )
    assert objects.variables("gateway")["DRAIN_SECONDS"] == "77"
    assert objects.variables("router")["ROUTER_DRAIN_S"] == "8"
    assert objects.variables("worker-default")["WORKER_DRAIN_S"] == "55"


def test_no_pre_stop_pause_no_hook() -> None:
    assert "lifecycle" not in released({"gateway": {"preStopSeconds": 0}}).container("gateway")


def test_a_rolling_update_of_gateways_never_takes_one_away_first() -> None:
    strategy = released().one("Deployment", "gateway")["spec"]["strategy"]
    assert strategy["rollingUpdate"]["maxUnavailable"] == 0


def test_the_public_service_does_not_lead_to_the_admin_port() -> None:
    objects = released({"gateway": {"service": {"type": "LoadBalancer"}}})
    ports = objects.one("Service", "-gateway")["spec"]["ports"]
    assert [port["targetPort"] for port in ports] == ["http"]
    assert objects.one("Service", "-gateway-admin")["spec"]["type"] == "ClusterIP"


def test_probes_ask_the_admin_port_so_that_keys_do_not_matter() -> None:
    container = released().container("gateway")
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == "admin"
    assert container["readinessProbe"]["httpGet"]["path"] == "/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/health"


def test_keys_come_from_a_secret() -> None:
    variables = released({"auth": {"existingSecret": "keys", "key": "all"}}).variables("gateway")
    assert variables["API_KEYS"] == {"secretKeyRef": {"name": "keys", "key": "all"}}
    assert "API_KEYS" not in released().variables("gateway")


def test_allowed_origins_are_one_list() -> None:
    variables = released({"auth": {"allowedOrigins": ["https://a", "https://b"]}}).variables("gateway")
    assert variables["WS_ALLOWED_ORIGINS"] == "https://a,https://b"


def test_sessions_need_no_stickiness_but_may_have_it() -> None:
    assert released().one("Service", "-gateway")["spec"]["sessionAffinity"] == "None"
    sticky = released({"gateway": {"service": {"sessionAffinity": "ClientIP"}}})
    assert sticky.one("Service", "-gateway")["spec"]["sessionAffinity"] == "ClientIP"


def test_a_part_s_own_configuration_wins_over_the_common_one() -> None:
    objects = released({"config": {"LOG_LEVEL": "info"}, "gateway": {"config": {"LOG_LEVEL": "debug"}}})
    assert objects.variables("gateway")["LOG_LEVEL"] == "debug"
    assert objects.variables("router")["LOG_LEVEL"] == "info"


def test_a_changed_configuration_restarts_the_pods() -> None:
    def checksum(level: str) -> str:
        deployment = released({"config": {"LOG_LEVEL": level}}).one("Deployment", "gateway")
        return str(deployment["spec"]["template"]["metadata"]["annotations"]["checksum/config"])

    assert checksum("info") != checksum("debug")


def test_pods_have_no_label_that_a_new_chart_version_would_change() -> None:
    labels = released().one("Deployment", "gateway")["spec"]["template"]["metadata"]["labels"]
    assert "helm.sh/chart" not in labels


def test_an_image_without_tag_has_the_version_of_the_application() -> None:
    assert released().container("gateway")["image"] == "rattil/edge:0.1.0"


def test_a_digest_wins_over_a_tag() -> None:
    digest = "sha256:" + "a" * 64
    image = {"repository": "r/e", "tag": "1", "digest": digest}
    objects = released({"images": {"edge": image}})
    assert objects.container("gateway")["image"] == f"r/e@{digest}"
    assert objects.container("router")["image"] == f"r/e@{digest}"


def test_pull_secrets_are_given_to_every_pod() -> None:
    objects = released({"images": {"pullSecrets": ["registry"]}})
    for part in ("gateway", "router", "worker-default"):
        assert objects.pod(part)["imagePullSecrets"] == [{"name": "registry"}]


BOTH = ("gateway", "worker-default")


def test_nothing_is_kept_unless_the_values_say_where() -> None:
    for part in BOTH:
        assert "RECORDINGS_URL" not in released().variables(part)
        assert "recordings" not in {mount["name"] for mount in released().container(part)["volumeMounts"]}


def test_a_bucket_s_keys_come_from_a_secret_and_its_ports_are_open() -> None:
    kept = {"url": "s3://bucket/kept", "existingSecret": "bucket", "ports": [9000], "keepSeconds": 120}
    objects = released({"recordings": kept})
    for part in BOTH:
        assert objects.variables(part)["RECORDINGS_URL"] == "s3://bucket/kept"
        assert {"secretRef": {"name": "bucket"}} in objects.container(part)["envFrom"]
        policy = objects.one("NetworkPolicy", part.partition("-")[0])
        ports = [port["port"] for rule in policy["spec"]["egress"] for port in rule.get("ports", [])]
        assert 9000 in ports
    assert objects.variables("gateway")["RECORDINGS_KEEP_S"] == "120"
    assert "RECORDINGS_URL" not in objects.variables("router")


def test_a_folder_is_the_same_volume_for_gateways_and_workers() -> None:
    objects = released(
        {"recordings": {"url": "file:///kept", "claimName": "shared", "maxBytes": 2_000_000_000}}
    )
    for part in BOTH:
        assert objects.variables(part)["RECORDINGS_URL"] == "file:///kept"
        mounts = {mount["name"]: mount["mountPath"] for mount in objects.container(part)["volumeMounts"]}
        assert mounts["recordings"] == "/kept"
        volumes = {volume["name"]: volume for volume in objects.pod(part)["volumes"]}
        assert volumes["recordings"]["persistentVolumeClaim"] == {"claimName": "shared"}
    assert objects.variables("gateway")["RECORDINGS_MAX_BYTES"] == "2000000000"
