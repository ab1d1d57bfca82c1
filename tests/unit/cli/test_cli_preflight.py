"""What is wrong is said before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.embedded_redis import EmbeddedRedis
from cli.ports import free_port
from cli.preflight import problems, warnings
from cli.stack import Counts, Plan, Ports


def plan(host: str = "127.0.0.1", redis_url: str = "", **env: str) -> Plan:
    return Plan(Counts(), Ports.all_free(Counts()), host, redis_url, env=env)


async def test_nothing_is_wrong_with_the_defaults() -> None:
    assert await problems(plan()) == []


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"WS_MAX_QUEUE": "0"}, "rattil gateway: WS_MAX_QUEUE: "),
        ({"API_KEYS": "acme="}, "rattil gateway: API_KEYS: entry 1: there is no key after ="),
        ({"ASR_MAX_BATCH": "many"}, "rattil worker: ASR_MAX_BATCH: "),
        ({"ROUTER_OVERFLOW": "degrade"}, "rattil router: settings: ROUTER_OVERFLOW=degrade needs"),
    ],
)
async def test_a_bad_setting_of_any_service_is_found(env: dict[str, str], says: str) -> None:
    found = await problems(plan(**env))
    assert len(found) == 1
    assert found[0].startswith(says)


async def test_an_open_address_without_keys_is_found() -> None:
    (found,) = await problems(plan(host="0.0.0.0"))
    assert "API_KEYS" in found
    assert await problems(plan(host="0.0.0.0", API_KEYS="school=k1")) == []


@pytest.mark.parametrize("model", ["/nowhere/at-all", "./nowhere", "{empty}"])
async def test_a_model_that_is_not_there_is_found(model: str, tmp_path: Path) -> None:
    (found,) = await problems(plan(ASR_MODEL=model.format(empty=tmp_path)))
    assert found.startswith("ASR_MODEL: ")


@pytest.mark.parametrize("model", ["rattil-tiny", "tiny.en", "some-one/whisper-base-quran"])
async def test_a_model_that_is_there_or_may_be_downloaded_is_no_problem(model: str) -> None:
    assert await problems(plan(ASR_MODEL=model)) == []


async def test_a_bad_redis_address_is_one_sentence() -> None:
    found = await problems(plan(redis_url="nonsense"))
    assert found
    assert all("REDIS_URL must list redis://" in sentence for sentence in found)


async def test_an_absent_redis_is_found_and_its_password_is_not_shown() -> None:
    (found,) = await problems(plan(redis_url=f"redis://user:s3cret@127.0.0.1:{free_port()}/0"))
    assert "do not answer at redis://***@127.0.0.1" in found
    async with EmbeddedRedis() as server:
        assert await problems(plan(redis_url=server.url)) == []


def test_a_misspelt_setting_is_named() -> None:
    environ = {"WS_WINDOW_SECOND": "2", "WS_WINDOW_SECONDS": "2", "PATH": "x", "HOSTNAME": "x", "LANG": "C"}
    assert warnings(environ) == ["WS_WINDOW_SECOND is no setting: did you mean WS_WINDOW_SECONDS?"]
