"""`POST /v1/listen` through the real upload path and decoder, with a scripted batch side."""

from __future__ import annotations

import hashlib
from typing import Any

import httpx
import msgspec
import pytest

from shared.audio.pcm import samples_of
from shared.errors import DecodeFailed, RattilError, Unavailable
from shared.hearing import HeardWord
from shared.transcription.recording import Stretch
from tests.integration.edge import Edge, edge, wav
from tests.unit.audio.recordings import encoded, strongest_hz, tone

HEARD = [
    Stretch(0, 900, "Hello there.", (HeardWord("Hello", 0, 400), HeardWord("there.", 400, 900)), "en"),
    Stretch(900, 1000, "Bye.", (HeardWord("Bye."),), "en"),
]


async def post(
    running: Edge, audio: bytes | None = None, query: str = "model=nova-3", **options: Any
) -> httpx.Response:
    running.gateway.transcriber.heard = HEARD
    headers = {"content-type": "application/octet-stream"}
    content = wav(16_000) if audio is None else audio
    return await running.http.post(f"/v1/listen?{query}", content=content, headers=headers, **options)


async def test_a_recording_is_transcribed_with_times_of_words() -> None:
    async with edge() as running:
        response = await post(running, query="model=nova-3&language=en-US&keyterm=Rattil&smart_format=true")
        usage = await running.http.get("/v1/usage")
        ((pcm16, options),) = running.gateway.transcriber.asked
    body = response.json()
    (channel,) = body["results"]["channels"]
    (said,) = channel["alternatives"]
    assert said["transcript"] == "Hello there. Bye."
    assert [(word["word"], word["start"], word["end"]) for word in said["words"]] == [
        ("hello", 0.0, 0.4),
        ("there", 0.4, 0.9),
        ("bye", 0.9, 1.0),
    ]
    assert [word["punctuated_word"] for word in said["words"]] == ["Hello", "there.", "Bye."]
    assert "utterances" not in body["results"]
    metadata = body["metadata"]
    assert metadata["sha256"] == hashlib.sha256(wav(16_000)).hexdigest()
    assert (metadata["duration"], metadata["channels"]) == (1.0, 1)
    assert list(metadata["model_info"]) == metadata["models"]
    assert response.headers["dg-request-id"] == metadata["request_id"]
    assert (options.language, options.prompt, options.word_timestamps, len(pcm16)) == (
        "en",
        "Rattil",
        True,
        32_000,
    )
    assert usage.status_code == 200


async def test_utterances_and_the_language_come_where_they_are_asked_for() -> None:
    async with edge() as running:
        response = await post(running, query="utterances=true&detect_language=true")
        ((_, options),) = running.gateway.transcriber.asked
    results = response.json()["results"]
    assert options.language == ""
    assert results["channels"][0]["detected_language"] == "en"
    assert " ".join(one["transcript"] for one in results["utterances"]) == "Hello there. Bye."
    assert len({one["id"] for one in results["utterances"]}) == len(results["utterances"])


async def test_channels_are_transcribed_by_themselves() -> None:
    stereo = encoded("flac", "flac", [tone(1.0, 16_000, 400.0), tone(1.0, 16_000, 900.0)])
    async with edge() as running:
        scripted = running.gateway.transcriber
        scripted.heard_first += [HEARD, [Stretch(300, 800, "And you?", language="nl")]]
        response = await post(
            running, stereo, "multichannel=true&channels=2&utterances=true&detect_language=true"
        )
        await running.gateway.ports.usage.hand_over()
        used = (await running.http.get("/v1/usage")).json()["total"]
        sounds = [strongest_hz(samples_of(pcm16)) for pcm16, _ in scripted.asked]
    body = response.json()
    assert sounds == [pytest.approx(400, abs=3), pytest.approx(900, abs=3)]
    assert (body["metadata"]["channels"], body["metadata"]["duration"]) == (2, 1.0)
    results = body["results"]
    said = [(one["detected_language"], one["alternatives"][0]["transcript"]) for one in results["channels"]]
    assert said == [("en", "Hello there. Bye."), ("nl", "And you?")]
    assert [(one["channel"], one["transcript"]) for one in results["utterances"]] == [
        (0, "Hello there."),
        (1, "And you?"),
        (0, "Bye."),
    ]
    assert used == {"audio_seconds": 2.0, "sessions": 1, "words": 5}


async def test_a_file_with_one_channel_has_the_results_of_one() -> None:
    async with edge() as running:
        apart = await post(running, query="multichannel=true")
        mixed = await post(running)
        (first, _), (second, _) = running.gateway.transcriber.asked
    assert first == second
    assert apart.json()["results"] == mixed.json()["results"]
    assert apart.json()["metadata"]["channels"] == 1


async def test_each_word_has_its_speaker_where_that_is_asked_for() -> None:
    async with edge(speaker_model="bundled") as running:
        running.gateway.transcriber.heard = [
            msgspec.structs.replace(stretch, speaker=number) for number, stretch in enumerate(HEARD)
        ]
        headers = {"content-type": "application/octet-stream"}
        response = await running.http.post(
            "/v1/listen?diarize=true&utterances=true", content=wav(16_000), headers=headers
        )
        ((_, options),) = running.gateway.transcriber.asked
    assert options.speakers
    results = response.json()["results"]
    (said,) = results["channels"][0]["alternatives"]
    assert [(word["word"], word["speaker"]) for word in said["words"]] == [
        ("hello", 0),
        ("there", 0),
        ("bye", 1),
    ]
    assert [(one["transcript"], one["speaker"]) for one in results["utterances"]] == [
        ("Hello there.", 0),
        ("Bye.", 1),
    ]


async def test_without_that_there_are_no_speakers() -> None:
    async with edge(speaker_model="bundled") as running:
        response = await post(running, query="utterances=true")
        ((_, options),) = running.gateway.transcriber.asked
    assert not options.speakers
    assert "speaker" not in response.text


@pytest.mark.parametrize(
    ("query", "audio", "status", "code", "named"),
    [
        ("diarize=true", None, 400, "INVALID_QUERY_PARAMETER", "SPEAKER_MODEL"),
        ("callback=https://example.org", None, 400, "INVALID_QUERY_PARAMETER", "callback"),
        ("encoding=linear16&sample_rate=16000", None, 400, "INVALID_QUERY_PARAMETER", "encoding"),
        ("model=large-v9", None, 400, "INVALID_QUERY_PARAMETER", "model"),
        ("language=multi", None, 400, "INVALID_QUERY_PARAMETER", "language"),
        ("multichannel=perhaps", None, 400, "INVALID_QUERY_PARAMETER", "multichannel"),
        ("", b"", 400, "INVALID_AUDIO", "empty"),
        ("", b"this is no recording" * 50, 400, "INVALID_AUDIO", "decoded"),
    ],
)
async def test_what_cannot_be_served_is_named(
    query: str, audio: bytes | None, status: int, code: str, named: str
) -> None:
    async with edge() as running:
        response = await post(running, audio, query)
    body = response.json()
    assert (response.status_code, body["err_code"]) == (status, code)
    assert named in body["err_msg"]
    assert response.headers["dg-request-id"] == body["request_id"]


async def test_a_url_is_not_fetched() -> None:
    async with edge() as running:
        response = await running.http.post("/v1/listen", json={"url": "http://127.0.0.1/secret"})
    assert response.status_code == 400
    assert "url" in response.json()["err_msg"]


async def test_a_recording_that_is_too_big_is_refused() -> None:
    async with edge(verify_max_bytes=65_536) as running:
        response = await post(running, wav(48_000))
    assert (response.status_code, response.json()["err_code"]) == (413, "PAYLOAD_TOO_LARGE")


async def test_all_channels_together_are_as_long_as_a_recording_may_be() -> None:
    stereo = wav(40_000, channels=2)
    async with edge(verify_max_s=4.0) as running:
        apart, mixed = await post(running, stereo, "multichannel=true"), await post(running, stereo)
    assert (apart.status_code, apart.json()["err_code"]) == (400, "INVALID_AUDIO")
    assert "longer than 2 s" in apart.json()["err_msg"]
    assert mixed.status_code == 200


async def test_a_key_is_needed_where_keys_are_set() -> None:
    async with edge(api_keys="school=k1") as running:
        refused = await post(running)
        running.http.headers["Authorization"] = "Token k1"
        served = await post(running)
    assert (refused.status_code, refused.json()["err_code"]) == (401, "INVALID_AUTH")
    assert served.status_code == 200


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (DecodeFailed("the model failed"), 500, "INTERNAL_SERVER_ERROR"),
        (Unavailable("no worker answers"), 503, "SERVICE_UNAVAILABLE"),
    ],
)
async def test_a_failure_of_the_service_is_told_and_counted(
    failure: RattilError, status: int, code: str
) -> None:
    async with edge() as running:
        running.gateway.transcriber.failure = failure
        response = await post(running)
        count = running.gateway.ports.metrics.registry.get_sample_value(
            "rattil_gateway_listen_recordings_total", {"code": failure.code}
        )
    assert (response.status_code, response.json()["err_code"], count) == (status, code, 1)
    assert ("retry-after" in response.headers) == failure.retryable
