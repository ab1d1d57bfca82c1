"""Which model a client may choose, by which name, and what it is told where there is none of that name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pydantic
import pytest

from gateway.admission.pools import ModelCatalogue, PoolStatus, ServedModel, UnknownModel, catalogue_of
from gateway.settings import GatewaySettings
from shared.ids import PoolName
from shared.pools import PoolModel, default_pool, parse_pools

FAST, ACCURATE, LARGE = PoolName("fast"), PoolName("accurate"), PoolName("large")
TWO = "fast=rattil-tiny, accurate=/models/rattil-base"


def catalogue(**settings: Any) -> ModelCatalogue:
    return catalogue_of(GatewaySettings(**settings))


def test_pools_are_read_in_their_order_and_a_folder_is_not_shown() -> None:
    pools = parse_pools(TWO)
    assert pools == (PoolModel(FAST, "rattil-tiny"), PoolModel(ACCURATE, "/models/rattil-base"))
    assert [pool.model_name for pool in pools] == ["rattil-tiny", "rattil-base"]


@pytest.mark.parametrize("text", ["fast", "fast=", "=rattil-tiny", "fa st=x", "a=x,a=y"])
def test_what_is_no_list_of_pools_stops_the_start(text: str) -> None:
    with pytest.raises(ValueError, match="pool"):
        parse_pools(text)
    with pytest.raises(pydantic.ValidationError):
        GatewaySettings(pools=text)


def test_the_default_pool() -> None:
    pools = parse_pools(TWO)
    assert default_pool((), None) == "default"
    assert default_pool((), "large") == "large"
    assert default_pool(pools, None) == FAST
    assert default_pool(pools, "accurate") == ACCURATE
    assert default_pool(parse_pools("fast=a,default=b"), None) == "default"
    with pytest.raises(ValueError, match="fast, accurate"):
        default_pool(pools, "large")


def test_settings_that_contradict_one_another_stop_the_start() -> None:
    wrong_settings: list[dict[str, Any]] = [
        {"pools": TWO, "asr_pool": "large"},
        {"pools": TWO, "report_pool": "large"},
        {"report_pool": "accurate"},
    ]
    for wrong in wrong_settings:
        with pytest.raises(pydantic.ValidationError):
            GatewaySettings(**wrong)


def test_a_client_chooses_by_pool_or_by_model() -> None:
    models = catalogue(pools=TWO)
    assert models.choose("") == models.choose("default") == models.choose("fast") == FAST
    assert models.choose("rattil-tiny") == FAST
    assert models.choose("accurate") == models.choose("rattil-base") == ACCURATE


def test_default_is_always_the_default_pool() -> None:
    models = catalogue(pools="fast=a,default=b", asr_pool="fast")
    assert models.choose("default") == FAST
    assert [one.pool for one in models.served] == [FAST]


def test_an_unknown_model_is_refused_with_what_there_is() -> None:
    with pytest.raises(UnknownModel, match=r"fast \(rattil-tiny\) or accurate \(rattil-base\) or default"):
        catalogue(pools=TWO).choose("whisper-1")
    with pytest.raises(UnknownModel, match="'fast'; choose default"):
        catalogue().choose("fast")


def test_pools_of_general_speech_are_for_transcriptions_alone() -> None:
    models = catalogue(pools=TWO, transcription_pools="large")
    assert models.choose("large", transcription=True) == LARGE
    with pytest.raises(UnknownModel):
        models.choose("large")
    assert [one.pool for one in models.served if not one.recitation] == [LARGE]


def test_without_pools_everything_is_as_it_was() -> None:
    models = catalogue()
    assert models.served == (ServedModel(PoolName("default"), default=True),)
    assert models.judges(models.default) == ("default",)
    assert catalogue(asr_pool="large").default == LARGE


def test_the_accurate_pool_judges_whole_recordings_and_then_the_sessions_own() -> None:
    assert catalogue(pools=TWO).judges(FAST) == (ACCURATE, FAST)
    assert catalogue(pools=TWO).judges(ACCURATE) == (ACCURATE,)
    assert catalogue(pools=TWO, report_pool="fast").judges(ACCURATE) == (FAST, ACCURATE)
    assert catalogue(pools="a=x,b=y").judges(PoolName("b")) == ("b",)


def test_a_model_has_a_name_for_people() -> None:
    models = catalogue(pools=TWO)
    assert models.model_of(ACCURATE) == "rattil-base"
    assert models.model_of(LARGE) == "large"


class Reports:
    """Routers that know two pools."""

    async def pools(self) -> Sequence[PoolStatus]:
        return (
            PoolStatus(ACCURATE, 2, 0.5, ("rattil-base@0.1.0",)),
            PoolStatus(LARGE, 1, 0.0, ("whisper-small@1",)),
        )


async def test_the_list_of_models_says_who_is_ready() -> None:
    listed = await catalogue(pools=TWO, transcription_pools="large").listed(Reports())
    assert listed == (
        ServedModel(FAST, "rattil-tiny", default=True),
        ServedModel(ACCURATE, "rattil-base", workers=2, versions=("rattil-base@0.1.0",)),
        ServedModel(LARGE, "whisper-small", recitation=False, workers=1, versions=("whisper-small@1",)),
    )


def test_the_accurate_pool_hears_recordings_once_more_if_it_can() -> None:
    both = catalogue(pools=TWO)
    assert both.accurate(FAST, recitation=True) == both.accurate(FAST, recitation=False) == ACCURATE
    only_transcribes = catalogue(asr_pool="fast", transcription_pools="accurate")
    assert only_transcribes.accurate(FAST, recitation=False) == ACCURATE
    assert only_transcribes.accurate(FAST, recitation=True) == FAST
    judge = catalogue(pools="fast=rattil-tiny,large=rattil-large", report_pool="large")
    assert judge.accurate(FAST, recitation=True) == LARGE
    assert judge.accurate(FAST, recitation=False) == FAST
