"""The truth about sound: what a microphone does, or does not, is said on the page with what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.e2e.browser import Tab, chromium, tab
from tests.e2e.microphones import RATE, voice, write_wav
from tests.e2e.scripted_service import RATE as SAMPLE_RATE
from tests.e2e.scripted_service import Connection, ready_and_pong, scripted
from tests.e2e.sizes import at_every_size

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine"),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.usefixtures("browsers"),
]

PITCH_HZ = 440
CATCH_SOUND = """
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => (window.heard = await open(wanted));
  const Real = window.AudioContext;
  window.AudioContext = class extends Real {
    constructor(...given) { super(...given); window.sound = this; }
    resume() { return window.locked ? Promise.resolve() : super.resume(); }
  };
  true
"""
"""Test access to the page's microphone stream and audio context."""


@pytest.fixture(scope="module")
def poor_sounds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("poor")
    samples = {
        "nothing": np.zeros(30 * RATE),
        "weak": voice(30, level=0.0005),
        "cut off": voice(30, level=3.0),
    }
    return {kind: write_wav(of_kind, folder / f"{kind}.wav") for kind, of_kind in samples.items()}


LEVELS = """{
  window.levels = new Set();
  const level = document.getElementById('level');
  const note = () => levels.add(level.style.getPropertyValue('--loud'));
  new MutationObserver(note).observe(level, {attributes: true});
} true"""
"""Collects what the ring around the large button shows of the sound: from 0 to 1."""


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [("nothing", "No sound at all"), ("weak", "Too quiet"), ("cut off", "Too loud")],
)
@at_every_size
async def test_sound_that_cannot_be_judged_is_told_within_three_seconds(
    poor_sounds: dict[str, Path], kind: str, sentence: str, size: tuple[int, int]
) -> None:
    async with (
        scripted(ready_and_pong) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=poor_sounds[kind]) as page,
    ):
        await page.page.click("#main")
        await page.page.wait_for_selector("#main[data-act=stop]")
        told = await page.told(within_s=3.0)
    assert sentence in told


@at_every_size
async def test_a_voice_of_ordinary_level_is_not_complained_about(
    microphone: Path, size: tuple[int, int]
) -> None:
    async with (
        scripted(ready_and_pong) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await page.page.evaluate(LEVELS)
        await page.recite(4)
        await service.connections[0].heard(6)
        told = await page.page.text_content("#notice-text")
        levels = {float(level) for level in await page.page.evaluate("[...levels]")}
    assert told == ""
    assert max(levels) > 0.2


@pytest.mark.parametrize(
    ("locale", "noise", "unknown"),
    [
        ("en", "too poor to judge: there is much noise", "too poor to judge."),
        ("ar", "لا يصلح للتقييم: فيه ضجيج", "لا يصلح للتقييم."),
    ],
)
@at_every_size
async def test_poor_sound_is_told_calmly_as_long_as_it_lasts(
    microphone: Path, locale: str, noise: str, unknown: str, size: tuple[int, int]
) -> None:
    good = {"level": "good", "reason": None}

    def poor(reason: str) -> dict[str, str]:
        return {"level": "poor", "reason": reason}

    async def script(connection: Connection) -> None:
        await connection.ready()
        await connection.heard(0.5)
        await connection.partial(0, "ccc", pointer=3, audio_quality=poor("noise"))
        await connection.asked("end")
        await connection.final("c" * 15, audio_quality=poor("noise"))

    async with (
        scripted(script) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone, locale=locale) as page,
    ):
        await page.recite(3)
        await page.told(noise)
        kind = await page.page.get_attribute("#notice", "data-kind")
        await page.page.click("#notice-close")
        await service.connections[0].partial(1, "cccc", pointer=4, audio_quality=poor("noise"))
        await page.judged(4)
        closed = await page.page.is_hidden("#notice")
        await service.connections[0].partial(2, "ccccc", pointer=5, audio_quality=poor("wind"))
        await page.told(unknown)
        await service.connections[0].partial(3, "cccccc", pointer=6, audio_quality=good)
        await page.page.wait_for_selector("#notice", state="hidden")
        await page.stop()
        result = await page.page.inner_text("#result-how")
    assert (kind, closed) == ("info", True)
    assert noise in result


@at_every_size
async def test_poor_sound_waits_behind_what_is_more_urgent(microphone: Path, size: tuple[int, int]) -> None:
    async def script(connection: Connection) -> None:
        await connection.ready()
        await connection.heard(0.5)
        await connection.partial(0, "cccc", pointer=4, audio_quality={"level": "poor", "reason": "noise"})
        await connection.pong()

    async with (
        scripted(script) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await start_with_sound_in_hand(page)
        await page.page.evaluate("heard.getAudioTracks()[0].dispatchEvent(new Event('mute'))")
        await page.told("Another program", within_s=3.0)
        await page.page.click("#notice-close")
        await page.told("too poor to judge")


async def start_with_sound_in_hand(page: Tab) -> None:
    await page.page.evaluate(CATCH_SOUND)
    await page.recite(4)


@at_every_size
async def test_a_microphone_that_another_program_takes_is_told_and_comes_back(
    microphone: Path, size: tuple[int, int]
) -> None:
    async with (
        scripted(ready_and_pong) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await start_with_sound_in_hand(page)
        await page.page.evaluate("heard.getAudioTracks()[0].dispatchEvent(new Event('mute'))")
        taken = await page.told(within_s=3.0)
        await page.page.evaluate("heard.getAudioTracks()[0].dispatchEvent(new Event('unmute'))")
        await page.told("could not listen")
    assert "Another program has taken the microphone" in taken


@at_every_size
async def test_a_headset_that_goes_away_is_replaced(microphone: Path, size: tuple[int, int]) -> None:
    async with (
        scripted(ready_and_pong) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await start_with_sound_in_hand(page)
        await page.page.evaluate(
            "{const [track] = heard.getAudioTracks(); window.gone = track.id;"
            " track.stop(); track.dispatchEvent(new Event('ended'))}"
        )
        # Another one is taken. Whether a gap is told depends on how long that took.
        await page.until("heard.getAudioTracks()[0].id !== window.gone && heard.active")
        before = service.connections[0].samples
        await service.connections[0].heard(1)
    assert service.connections[0].samples > before


@at_every_size
async def test_a_locked_screen_is_told_and_what_was_missed_is_not_judged(
    microphone: Path, size: tuple[int, int]
) -> None:
    async def script(connection: Connection) -> None:
        await connection.ready()
        await connection.heard(2)
        await connection.partial(0, "cccc", pointer=4)
        await connection.asked("flush")

    async with (
        scripted(script) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await start_with_sound_in_hand(page)
        await page.page.evaluate("{window.locked = true; sound.suspend()}")
        locked = await page.told(within_s=3.0)
        await page.page.evaluate("{window.locked = false; sound.resume()}")
        await page.told("could not listen")
        await service.connections[0].partial(1, "ccccxxccc", pointer=9)
        await page.judged(9)
        statuses = await page.statuses()
    assert "interrupted" in locked
    assert statuses[4:6] == ["not_judged", "not_judged"]


@pytest.fixture(scope="module")
def tone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wave = 0.2 * np.sin(2 * np.pi * PITCH_HZ * np.arange(20 * RATE) / RATE)
    return write_wav(wave, tmp_path_factory.mktemp("tone") / "tone.wav")


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 96_000])
async def test_sound_of_any_rate_arrives_as_it_was(tone: Path, rate: int) -> None:
    of_rate = f"""{{
      const Real = window.AudioContext;
      window.AudioContext = class extends Real {{ constructor() {{ super({{sampleRate: {rate}}}); }} }};
    }} true"""
    async with (
        scripted(ready_and_pong) as service,
        tab(f"{service.url}?verses=112", microphone=tone) as page,
    ):
        await page.page.evaluate(of_rate)
        await page.recite(4)
        await service.connections[0].heard(1.5)
        sound = np.frombuffer(bytes(service.connections[0].sound), dtype="<i2")[-SAMPLE_RATE:]
    strength = np.abs(np.fft.rfft(sound * np.hanning(sound.size)))
    assert abs(int(np.argmax(strength)) - PITCH_HZ) <= 2  # one bin of this second is one hertz


@at_every_size
async def test_the_screen_stays_on_while_somebody_recites(microphone: Path, size: tuple[int, int]) -> None:
    watch = """{
      window.asked = [];
      navigator.wakeLock.request = async (kind) => {
        asked.push(kind);
        return {release: async () => { asked.push('released'); }};
      };
    } true"""
    async with (
        scripted(ready_and_pong) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await page.page.evaluate(watch)
        await page.recite(4)
        reciting = await page.page.evaluate("asked")
        # A browser takes it back while the page is not seen.
        await page.page.evaluate("document.dispatchEvent(new Event('visibilitychange')); true")
        seen_again = await page.page.evaluate("asked")
        await page.page.click("#cancel")
        await page.page.click("#cancel")
        await page.page.wait_for_selector("#main[data-act=recite]")
        after = await page.page.evaluate("asked")
    assert reciting == ["screen"]
    assert seen_again == ["screen", "screen"]
    assert after == ["screen", "screen", "released"]


@at_every_size
async def test_a_refused_microphone_is_told_with_what_to_do(size: tuple[int, int]) -> None:
    async with (
        scripted(ready_and_pong) as service,
        tab(f"{service.url}?verses=112", size=size, allowed=False) as page,
    ):
        await page.page.click("#main")
        told = await page.told()
        again = await page.page.inner_text("#notice-action")
    assert "Allow it" in told
    assert again == "Try again"
    assert service.connections == []


@at_every_size
async def test_a_missing_or_busy_microphone_is_told(size: tuple[int, int]) -> None:
    refused = """navigator.mediaDevices.getUserMedia = async () => {{
      throw new DOMException('none', '{name}');
    }}; true"""
    told = {}
    async with scripted(ready_and_pong) as service, tab(f"{service.url}?verses=112", size=size) as page:
        for name, word in (("NotFoundError", "found"), ("NotReadableError", "in use")):
            await page.page.evaluate(refused.format(name=name))
            await page.page.click("#main[data-act=recite]")
            told[name] = await page.told(word)
            await page.page.wait_for_selector("#main[data-act=recite]")
            await page.page.click("#notice-close")
    assert "No microphone was found" in told["NotFoundError"]
    assert "another program" in told["NotReadableError"]


@at_every_size
async def test_a_microphone_that_goes_away_for_good_is_told(microphone: Path, size: tuple[int, int]) -> None:
    lose = """{
      navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('none', 'NotFoundError'); };
      const [track] = heard.getAudioTracks();
      track.stop();
      track.dispatchEvent(new Event('ended'));
    } true"""
    async with (
        scripted(ready_and_pong) as service,
        tab(f"{service.url}?verses=112", size=size, microphone=microphone) as page,
    ):
        await start_with_sound_in_hand(page)
        await page.page.evaluate(lose)
        told = await page.told("gone")
        await page.page.click("#main[data-act=stop]")
        await service.connections[0].asked("end")
    assert "touch Finish" in told
