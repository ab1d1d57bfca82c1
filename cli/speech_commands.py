"""`rattil recite`, `transcribe` and `listen`: send sound to a running service and show what it answers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.failure import fail
from cli.recite import Exit, gateways, recite_and_report, target_of
from cli.transcribe import Exit as TranscribeExit
from cli.transcribe import transcribe as run_transcribe
from rattil.client import Listener, Transcription
from rattil.client.microphone import Microphone
from rattil.client.sound_source import pieces, read_file, standard_input
from rattil.client.transcription import ServerEvent as TranscriptEvent
from shared.errors import RattilError
from shared.recitation.reference.passage import VerseRange

Url = Annotated[
    str, typer.Option(envvar="RATTIL_URL", help="Gateways, comma-separated; failing over to the next.")
]
Token = Annotated[str, typer.Option(envvar="RATTIL_TOKEN", help="API key, where one is needed.")]
Language = Annotated[str, typer.Option(help="Code of the spoken language, such as en or ar.")]
Model = Annotated[str, typer.Option(help="What transcribes: default, or what the service offers.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line instead.")]


def recite(
    file: Annotated[str, typer.Argument(help="wav, flac, mp3, m4a, ogg or webm; - = raw PCM16 16 kHz mono.")],
    verse: Annotated[str, typer.Option("--verse", help="What is recited: 1:5, 1:1-7, or 112 (a sura).")],
    url: Url = "ws://127.0.0.1:8000",
    token: Token = "",
    model: Annotated[
        str, typer.Option(help="What hears it: fast, accurate, or what the service offers.")
    ] = "default",
    realtime: Annotated[
        bool, typer.Option("--realtime/--fast", help="At the speed it was recited, or as fast as possible.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
    strict: Annotated[bool, typer.Option(help="Exit with 1 if a word is wrong or missing.")] = False,
) -> None:
    """Recite a recording to a running service and watch the words change colour.

    A broken connection is resumed on the next gateway; nothing is lost, nothing is counted twice.

    Exit codes: 0 done, 1 mistakes (with --strict), 2 wrong usage, 3 refused by the server,
    4 server unreachable, 5 no final result, 130 stopped by Ctrl-C.

    Ctrl-C ends the recitation: what was recited until then is judged. Ctrl-C once more leaves at once.

    [bold]Examples[/]

      rattil recite cli/samples/fatiha_clean.opus --verse 1:1-7
      rattil recite my.wav --verse 112 --fast --json
      rattil recite my.mp3 --verse 1:1-7 --url ws://a:8000,ws://b:8000
      rattil recite my.mp3 --verse 1:1-7 --model accurate
      arecord -q -f S16_LE -r 16000 -c 1 | rattil recite - --verse 1:1-7
    """
    try:
        verses = VerseRange.parse(verse)
        target = target_of(url, verses, token, model)
        audio = standard_input() if file == "-" else pieces(read_file(Path(file)), realtime=realtime)
    except (RattilError, ValueError) as error:
        fail(str(error), Exit.USAGE)
    title = f"{verses}  {'standard input' if file == '-' else Path(file).name}"
    code = asyncio.run(recite_and_report(target, audio, Console(), title, as_json=as_json, strict=strict))
    raise typer.Exit(code)


def transcribe(
    file: Annotated[str, typer.Argument(help="wav, flac, mp3, m4a, ogg or webm; - = raw PCM16 16 kHz mono.")],
    language: Language = "en",
    model: Model = "default",
    url: Url = "ws://127.0.0.1:8000",
    token: Token = "",
    realtime: Annotated[
        bool, typer.Option("--realtime/--fast", help="At the speed it was spoken, or as fast as possible.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Transcribe a recording, or standard input, live through a running service.

    The service needs a general model: [bold]ASR_MODEL=whisper-base rattil up[/]. A broken connection is
    resumed; nothing is lost, nothing comes twice.

    Exit codes: 0 done, 2 wrong usage, 3 refused by the server, 4 server unreachable, 130 stopped by Ctrl-C.

    [bold]Examples[/]

      rattil transcribe talk.mp3
      rattil transcribe talk.wav --language ar --json --fast
      arecord -q -f S16_LE -r 16000 -c 1 | rattil transcribe -
    """
    try:
        urls = gateways(url)
        audio = standard_input() if file == "-" else pieces(read_file(Path(file)), realtime=realtime)
    except (RattilError, ValueError) as error:
        fail(str(error), TranscribeExit.USAGE)

    def open_session(screen: Listener[TranscriptEvent]) -> Transcription:
        return Transcription(urls, language=language, token=token, listener=screen, model=model)

    code = asyncio.run(run_transcribe(open_session, urls, audio, Console(), as_json=as_json))
    raise typer.Exit(code)


def listen(
    language: Language = "en",
    model: Model = "default",
    url: Url = "ws://127.0.0.1:8000",
    token: Token = "",
    device: Annotated[
        str, typer.Option(help="Microphone, as python -m sounddevice lists them; default: the system's.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Transcribe what the microphone hears, live; Ctrl-C ends it.

    Needs [bold].venv/bin/pip install -e '.\\[microphone]'[/] and PortAudio. While the service is away, two
    minutes of sound are kept and sent afterwards.

    Exit codes: 0 ended by Ctrl-C and answered, 2 wrong usage, 3 refused by the server, 4 server unreachable,
    130 a second Ctrl-C, before all was answered.

    [bold]Examples[/]

      rattil listen --language ar
      rattil listen --url wss://speech.example.org --token KEY
    """
    try:
        urls = gateways(url)
    except ValueError as error:
        fail(str(error), TranscribeExit.USAGE)
    microphone = Microphone(device=device or None)

    def open_session(screen: Listener[TranscriptEvent]) -> Transcription:
        return Transcription(urls, language=language, token=token, listener=screen, model=model)

    work = run_transcribe(
        open_session, urls, microphone.pieces(), Console(), as_json=as_json, stop=microphone.stop
    )
    raise typer.Exit(asyncio.run(work))
