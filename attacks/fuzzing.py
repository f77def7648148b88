"""Whatever comes from outside and is parsed, fed with what a fuzzer thinks of: it raises only what it declares.

atheris lives in an environment of its own, so this file is also run by that environment's Python, which borrows
authapp's packages: `python fuzzing.py yaml 100000`.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from attacks.report import Outcome

ROOT = Path(__file__).resolve().parent.parent
RUNS = 50_000  # of each parser
LONGEST = 100  # seconds, of each


def _yaml(data: bytes) -> None:
    from authapp.config import yamlfile  # noqa: PLC0415 - instrumented when it is imported

    yamlfile.parse(data, "config.yml")


def _basic(data: bytes) -> None:
    from authapp import basic  # noqa: PLC0415 - instrumented when it is imported
    from authapp.errors import BadCredentials  # noqa: PLC0415 - instrumented when it is imported

    try:
        sent = basic.parse(data.decode("latin-1"))
    except BadCredentials:
        return
    assert ":" not in sent.username


def _return_url(data: bytes) -> None:
    from authapp.web.security import safe_return_url  # noqa: PLC0415 - instrumented when it is imported

    found = safe_return_url(data.decode("utf-8", "replace"))
    assert re.fullmatch(r"/([^/\\\x00-\x20][^\\\x00-\x20]*)?", found), found


def _host(data: bytes) -> None:
    from authapp.web.security import host_name  # noqa: PLC0415 - instrumented when it is imported

    found = host_name(data.decode("latin-1"))
    assert found is None or re.fullmatch(r"[a-z0-9._:-]+", found), found


# What a fuzzer begins with, so that it need not find out by itself what base64 or YAML is.
SEEDS = {
    "yaml": b"server: {basic-auth: {username: 'a', password: \"b\"}}\nsession:\n  lifetime: 7d\n",
    "basic": b"Basic YTpi",
    "return-url": b"/account?next=/#x",
    "host": b"[::1]:8080",
}
PARSERS: dict[str, Callable[[bytes], None]] = {
    "yaml": _yaml, "basic": _basic, "return-url": _return_url, "host": _host
}  # fmt: skip


def fuzz(parser: str, runs: int) -> None:
    """Feed one parser; ends the process, with an error when something was found."""
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: PLC0415 - it is in .venv-attack alone

    with atheris.instrument_imports(include=["authapp", "yaml"]):
        PARSERS[parser](SEEDS[parser])
    # Its own findings would be files in the folder it is started in.
    atheris.Setup([sys.argv[0], "corpus", f"-runs={runs}", "-max_len=512", "-timeout=10",
                   f"-max_total_time={LONGEST}"], PARSERS[parser])  # fmt: skip
    atheris.Fuzz()


def run() -> Outcome:
    """Feed each parser in a process of its own."""
    outcome = Outcome("atheris")
    python = ROOT / ".venv-attack" / "bin" / "python"
    if not python.exists():
        outcome.notes.append("left out: atheris is not here (scripts/attack-tools gets it)")
        return outcome
    packages = next((ROOT / ".venv" / "lib").glob("python3*/site-packages"))
    where = {"PYTHONPATH": f"{ROOT}:{packages}", "PATH": "/usr/bin:/bin"}
    for parser in PARSERS:
        with tempfile.TemporaryDirectory() as folder:
            corpus = Path(folder) / "corpus"
            corpus.mkdir()
            (corpus / "seed").write_bytes(SEEDS[parser])
            command = [str(python), str(Path(__file__).resolve()), parser, str(RUNS)]
            done = subprocess.run(command, cwd=folder, env=where, capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        ran = re.search(r"Done (\d+) runs in", said)
        outcome.requests += int(ran[1]) if ran else 0
        outcome.notes += [f"{parser}: {ran[1]} runs"] if ran else []
        if done.returncode or not ran:
            outcome.findings.append(f"{parser}: {said[-600:]}")
    return outcome


if __name__ == "__main__":
    fuzz(sys.argv[1], int(sys.argv[2]))
