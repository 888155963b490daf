"""Continuo in Ardour 7: scan, render, save, reopen, export; by hand, where Ardour is installed (Debian: apt install ardour).

    python3 tests/hosts/ardour/walk.py target/bundled/Continuo.vst3 [SECONDS]

Ardour is run without a window and without audio hardware, in a home folder of its own. SECONDS is how long the render may take (60).
Two exports of the reopened session must be the same, and so must a third one without models and clips: the session has the sound.
"""

import array
import math
import os
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

LIBRARIES = "/usr/lib/ardour7"
# Ardour counts time in these.
TICKS_PER_SECOND = 282_240_000
EXPORTED_SECONDS = 9


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    bundle = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        walk(bundle, Path(folder), sys.argv[2] if len(sys.argv) > 2 else "60")


def walk(bundle: Path, folder: Path, seconds: str) -> None:
    home = folder / "home"
    plugins = home / ".vst3"
    plugins.mkdir(parents=True)
    (plugins / bundle.name).symlink_to(bundle)
    session = folder / "session"
    environment = {
        **os.environ,
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_DATA_HOME": str(home / ".local/share"),
        "WALK_SESSION": str(session),
        "WALK_SECONDS": seconds,
    }

    scan = {**environment, "LD_LIBRARY_PATH": LIBRARIES}
    run([f"{LIBRARIES}/ardour-vst3-scanner", "-f", str(plugins / bundle.name)], scan)
    print("scanned")
    run(["ardour7-lua", str(Path(__file__).with_name("walk.lua"))], environment)
    state = session / "walk.ardour"
    print(f"rendered and saved: {state.stat().st_size} bytes")
    name_the_part_to_export(state)

    first, second, alone = (folder / f"{name}.wav" for name in ("first", "second", "alone"))
    export(session, first, environment)
    export(session, second, environment)
    export(session, alone, {**environment, "CONTINUO_RESOURCES": str(folder / "nothing")})
    loud, level = heard(first)
    print(f"exported: {loud} of {EXPORTED_SECONDS} seconds sound, {level:.1f} dBFS")
    # Clip and continuation are four seconds each.
    assert loud >= 5, "hardly anything is heard; is the render done? Give it more seconds"
    assert first.read_bytes() == second.read_bytes(), "two exports differ"
    assert first.read_bytes() == alone.read_bytes(), "without models the session sounds different"
    print("two exports, and one without models and clips, are the same")


def name_the_part_to_export(state: Path) -> None:
    """Ardour exports the session's range, which recording sets and nothing here does."""
    end = EXPORTED_SECONDS * TICKS_PER_SECOND
    place = f'<Location id="90001" name="session" start="a0" end="a{end}" flags="IsSessionRange" locked="0" timestamp="0"/>'
    text = state.read_text()
    assert "<Locations/>" in text, "the session has places already"
    state.write_text(text.replace("<Locations/>", f"<Locations>{place}</Locations>"))


def export(session: Path, to: Path, environment: dict) -> None:
    # Now and then Ardour's butler waits for ever as the session opens (7.3, dummy backend), whatever is on the tracks.
    for _ in range(3):
        try:
            return run(["ardour7-export", "-b", "16", "-o", str(to), str(session), "walk"], environment, timeout=90)
        except subprocess.TimeoutExpired:
            print("Ardour hangs; once more")
    sys.exit("Ardour hangs each time")


def heard(path: Path) -> tuple[int, float]:
    """How many seconds are not silent, and the level of all."""
    with wave.open(str(path)) as file:
        rate, channels = file.getframerate(), file.getnchannels()
        values = array.array("h", file.readframes(file.getnframes()))
    second = rate * channels
    power = [sum(v * v for v in values[at : at + second]) / second / 2**30 for at in range(0, len(values), second)]
    return sum(p > 1e-7 for p in power), 10 * math.log10(sum(power) / len(power) + 1e-12)


def run(command: list, environment: dict, timeout: int = 600) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


main()
