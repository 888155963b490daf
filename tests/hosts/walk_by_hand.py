"""A walk through the plugin with a mouse, in DawDreamer on a screen of its own; part of `cargo xtask test --only windows`, or by hand:

    python3 tests/hosts/walk_by_hand.py target/bundled/Continuo.vst3 [FOLDER FOR PICTURES]

Drops a clip, trims it, renders eight variations, hears three, gives two a star, undoes, branches off, pins the take to a bar, drags a
lane out, and compares two bounces. Each step is judged by what the host sees: parameters, the saved state, sound, files. Pixels only
tell where the lanes are. Needs what requirements.txt names, and Xvfb; with openbox there are frames around windows, as on a desktop.
"""

import faulthandler
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

# The window as it is at first (src/params.rs, EDITOR_SIZE), in which these lie.
SIZE = (920, 600)
RENDER = (80, 548)
LENGTH, VARIATIONS = (152, 445), (836, 445)
START = (327, 500)
CLIP_BEGIN, CLIP_END = (48, 230), (330, 230)
# From left to right in a lane: play, number, star, grip; and where its sound begins and ends.
PLAY, NUMBER, STAR, GRIP, LANE = 228, 246, 274, 290, (300, 892)
# A number's plate, of the lane that plays and of the others (src/editor/theme.rs).
PLATES = {(0xE8, 0xEA, 0xEE), (0x2A, 0x2F, 0x39)}
BPM, BAR_SECONDS = 120.0, 2.0
# A file that is there while the host saves.
SAVING = "saving"


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    bundle = Path(sys.argv[1]).resolve()
    pictures = Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else None
    assert bundle.is_dir(), f"{bundle} is missing; make it with: cargo xtask bundle"
    from hand import Screen

    with tempfile.TemporaryDirectory() as folder, Screen():
        os.environ.update(HOME=folder, XDG_DATA_HOME=f"{folder}/data", XDG_CACHE_HOME=f"{folder}/cache")
        # Whoever walks waits for renders and does nothing else.
        settings = Path(folder, "data", "continuo", "renderer.json")
        settings.parent.mkdir(parents=True)
        settings.write_text('{"priority": "normal"}')
        for _ in range(3):
            walk = get_context("spawn").Process(target=in_host, args=(bundle, Path(folder), pictures))
            walk.start()
            walk.join()
            if not (saving := Path(folder, SAVING)).exists():
                sys.exit(walk.exitcode)
            # Who saves holds Python's lock and waits for the window's thread, which now and then waits for that lock.
            print("DawDreamer hangs while it saves; once more")
            saving.unlink()
        sys.exit("DawDreamer hangs each time")


def in_host(bundle, folder, pictures):
    """Opens the editor in a host and sends a hand to it."""
    from studio import Studio

    studio = Studio(bundle, bpm=BPM)
    studio.play(0.1)

    def hand():
        step = "open the window"
        try:
            for step, result in Walk(studio, bundle, folder, pictures).steps():
                print(f"{step}: {result}", flush=True)
            os._exit(0)
        except BaseException:
            print(f"after '{step}':", file=sys.stderr)
            traceback.print_exc()
            subprocess.run(["import", "-window", "root", "/tmp/walk_by_hand.png"], check=False) if pictures else None
            os._exit(1)

    threading.Thread(target=hand, daemon=True).start()
    studio.plugin.open_editor()


class Walk:
    def __init__(self, studio, bundle, folder, pictures):
        from hand import Hand

        self.studio, self.bundle, self.folder, self.pictures = studio, bundle, folder, pictures
        self.hand = Hand("Continuo")
        assert self.hand.size() == SIZE, f"the window is {self.hand.size()} large"
        # Until something is drawn.
        from hand import until

        self.until = until
        until("the editor is drawn", lambda: len({pixel for row in self.hand.pixels() for pixel in row}) > 20)

    def steps(self):
        """Every step with what came of it. Each one fails if it has no effect."""
        for step in (
            self.drop_a_clip,
            self.trim_it,
            self.render_eight,
            self.hear_three,
            self.star_two,
            self.undo_and_redo,
            self.branch_off,
            self.pin,
            self.drag_out,
            self.bounce_twice,
        ):
            result = step()
            if self.pictures:
                self.pictures.mkdir(parents=True, exist_ok=True)
                subprocess.run(["import", "-window", "root", str(self.pictures / f"{step.__name__}.png")], check=False)
            yield step.__name__.replace("_", " "), result

    # What the host sees.

    def wait(self, what, check, seconds=20.0):
        """Waits while the host plays, as it does all the time."""
        return self.until(what, check, seconds, between=self.pause)

    def pause(self):
        for _ in range(4):
            self.studio.play(0.05)
            time.sleep(0.05)

    def saved(self, parameter):
        """The value of a parameter in the saved state."""
        (value,) = self.state()["params"][parameter].values()
        return value

    def session(self):
        """What is saved beside the parameters."""
        return json.loads(self.state()["fields"]["session"])

    def state(self):
        import zstandard

        file = self.folder / "walk.state"
        self.save(file)
        inner = re.search(rb"<IComponent>(.*?)</IComponent>", file.read_bytes(), re.S).group(1).decode()
        return json.loads(zstandard.ZstdDecompressor().decompressobj().decompress(juce_base64(inner)))

    def save(self, file):
        """Has the host save; ends the process where that hangs."""
        (self.folder / SAVING).touch()
        # The window's thread gets Python's lock first, if it waits for it.
        time.sleep(0.02)
        faulthandler.dump_traceback_later(60, exit=True)
        self.studio.save(file)
        faulthandler.cancel_dump_traceback_later()
        (self.folder / SAVING).unlink()

    def stars(self):
        """The variations of the chosen take that have a star."""
        bits = self.session().get("takes", {}).get("label", {}).get("stars", 0)
        return {place + 1 for place in range(16) if bits >> place & 1}

    def takes(self):
        """How many takes there are."""
        session = self.session()
        return (session.get("take") is not None) + len(session.get("takes", {}).get("others", []))

    def type_value(self, place, text):
        self.hand.click(*place, times=2)
        # The field opens with the next frame, which takes a while without a graphics card.
        time.sleep(1.2)
        self.hand.type(text)
        time.sleep(0.3)
        self.hand.press("Return")

    def lanes(self):
        """The middles of the lanes from top to bottom, by the plates of their numbers."""
        self.hand.move(5, 5)
        time.sleep(0.5)
        middles, began = [], None
        for y, row in enumerate([*self.hand.pixels(), [(0, 0, 0)] * SIZE[0]]):
            # Below them is the arrangement's strip.
            on = 110 < y < 368 and row[NUMBER] in PLATES
            if on and began is None:
                began = y
            elif not on and began is not None:
                middles.append((began + y - 1) // 2) if y - began >= 6 else None
                began = None
        return middles

    # The steps.

    def drop_a_clip(self):
        from drops import Source

        shipped = sorted((self.bundle / "Contents/Resources/presets/seeds").glob("*.*"))
        shipped = next(file for file in shipped if file.suffix in (".wav", ".flac"))
        clip = self.folder / f"a clip{shipped.suffix}"
        clip.write_bytes(shipped.read_bytes())
        assert self.session()["seed"] is None
        assert Source(clip).drop(*self.hand.on_screen(460, 260)), "the drop was refused"
        self.wait("the project names the clip", lambda: self.session()["seed"] == str(clip))
        return clip.name

    def trim_it(self):
        assert "seed_trim" not in self.session()
        x = CLIP_BEGIN[0]
        # Its line is thin and mixed with what is behind it.
        amber = lambda pixel: pixel[0] > 150 and 100 < pixel[1] < 190 and pixel[2] < 110
        self.until("the clip has a handle", lambda: any(map(amber, self.hand.pixels()[152][x - 6 : x + 12])))
        self.hand.drag(CLIP_BEGIN, (CLIP_BEGIN[0] + 140, CLIP_BEGIN[1]))
        trim = self.wait("the clip is trimmed", lambda: self.session().get("seed_trim"))
        # The window shows clip and continuation, 12 s, in some 840 pixels.
        assert 1.8 < trim["begin_seconds"] < 2.2, trim
        assert trim["end_seconds"] > 3.5, trim
        return f"{trim['begin_seconds']:.2f} to {trim['end_seconds']:.2f} s"

    def render_eight(self):
        self.type_value(VARIATIONS, "8")
        self.wait("there are to be 8 variations", lambda: self.saved("takes") == 8)
        self.type_value(LENGTH, "1")
        self.wait("the take is to be 1 s long", lambda: abs(self.saved("length") - 1.0) < 1e-3)
        before = self.saved("rng_seed")
        assert np.abs(self.studio.play(1.0)).max() == 0.0, "something sounds before anything is rendered"
        self.hand.click(*RENDER)
        take = self.wait("a take is in the project", lambda: self.session()["take"], seconds=600)
        assert len(take["variations"]) == 8
        assert len({sound["sha256"] for sound in take["variations"]}) == 8, "two variations are the same"
        assert self.saved("rng_seed") != before, "the next render would be the same"
        self.wait("eight lanes are seen", lambda: len(self.lanes()) == 8)
        assert np.abs(self.studio.play(4.0)).max() > 0.01
        return "8 variations of 1 s"

    def hear_three(self):
        # What the play buttons play beside the host's timeline is not for hosts that bounce, which is all that this one does; so it is
        # the lanes that are clicked, and the timeline that is heard.
        heard = []
        for lane in (6, 3, 0):
            self.hand.click(LANE[0] + 100, self.lanes()[lane])
            self.wait(f"variation {lane + 1} plays", lambda number=lane + 1: self.saved("take") == number)
            heard.append(self.studio.play(4.0)[0])
        begin, seam = int(0.1 * self.studio.rate), int(2.1 * self.studio.rate)
        for sound in heard:
            assert np.array_equal(sound[begin : begin + 1000], heard[0][begin : begin + 1000]), "they begin with different clips"
            others = [other for other in heard if other is not sound]
            apart = min(np.abs(sound[seam:] - other[seam:]).max() for other in others)
            assert apart > 0.01, "two variations sound the same"
        return "variations 7, 4, and 1"

    def star_two(self):
        assert self.stars() == set()
        for lane in (2, 5):
            self.hand.click(STAR, self.lanes()[lane])
        self.wait("two variations have a star", lambda: self.stars() == {3, 6})
        return "variations 3 and 6"

    def undo_and_redo(self):
        self.hand.press("z", "Control_L")
        self.wait("one star is gone", lambda: self.stars() == {3})
        self.hand.press("z", "Control_L", "Shift_L")
        self.wait("it is back", lambda: self.stars() == {3, 6})
        self.hand.press("z", "Control_L")
        self.wait("it is gone again", lambda: self.stars() == {3})
        return "a star, back, and gone again"

    def branch_off(self):
        before = self.session()["seed"]
        lanes = self.lanes()
        place = (LANE[0] + 0.75 * (LANE[1] - LANE[0]), lanes[1])
        self.hand.click(*place, button=3)
        time.sleep(1.5)
        # The first entry of the menu, which opens to the left where there is no room at the right.
        self.hand.click(place[0] - 60, place[1] + 24)
        self.wait("it goes on from another clip", lambda: self.session()["seed"] != before)
        self.wait("there are two takes", lambda: self.takes() == 2, seconds=600)
        session = self.session()
        assert Path(session["seed"]).is_file()
        assert self.saved("take") == 2, "it went on from another variation"
        return Path(session["seed"]).name

    def pin(self):
        assert np.abs(self.studio.play(2 * BAR_SECONDS)).max() > 0.01
        self.type_value(START, "3")
        self.wait("the take begins at bar 3", lambda: abs(self.saved("start") - 3.0) < 1e-3)
        sound = self.studio.play(4 * BAR_SECONDS)
        begins = int(2 * BAR_SECONDS * self.studio.rate)
        assert np.abs(sound[:, : begins - 8]).max() == 0.0, "something sounds before bar 3"
        assert np.abs(sound[:, begins:]).max() > 0.01, "nothing sounds from bar 3 on"
        return "bar 3"

    def drag_out(self):
        from drops import Target

        self.wait("eight lanes are seen", lambda: len(self.lanes()) == 8)
        lane = 4
        # Below the host's window.
        left, top = self.hand.on_screen(0, 0)
        target = Target(left, top + SIZE[1] + 60)
        y = self.lanes()[lane]
        self.hand.move(GRIP, y)
        time.sleep(0.3)
        self.hand.button(True)
        time.sleep(0.3)
        self.hand.move(GRIP + 20, y + 20)
        time.sleep(0.5)
        self.hand.move_on_screen(*target.middle)
        target.attend(3.0)
        self.hand.button(False)
        files = target.attend(20.0)
        assert files and len(files) == 1, f"the window got {files}"
        file = Path(files[0])
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            rate, written = pool.submit(read_audio, str(file)).result(timeout=60)
        assert rate == self.studio.rate
        # It is what the host hears of that variation, to the last of 24 bits, but for the fades at its ends.
        self.studio.set("Variation", lane / 15)
        self.studio.play(0.5)
        begins = int(2 * BAR_SECONDS * self.studio.rate)
        heard = self.studio.play(2 * BAR_SECONDS + 6.0)[:, begins : begins + written.shape[1]]
        fade = self.studio.rate // 10
        apart = np.abs(written - heard)[:, fade:-fade].max()
        assert apart < 2.0**-22, f"the file differs from what is heard by {apart}"
        assert np.abs(written).max() > 0.01, "the file is silent"
        return f"{file.name}, {written.shape[1] / rate:.2f} s"

    def bounce_twice(self):
        seconds = 5 * BAR_SECONDS
        first, second = self.studio.play(seconds), self.studio.play(seconds)
        assert np.abs(first).max() > 0.01
        assert np.array_equal(first, second), "two bounces differ"
        # And a third one of the saved project in another process, where nobody has opened a window.
        import scenes

        state = self.folder / "bounce.state"
        self.save(state)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            third = pool.submit(scenes.reopen, self.bundle, state, bpm=BPM, seconds=seconds).result(timeout=120)
        assert np.array_equal(first, third), "the reopened project bounces differently"
        return f"{seconds:.0f} s, three times the same"


def read_audio(file):
    """Rate and audio of a file; in a process without the other host."""
    from pedalboard.io import AudioFile

    with AudioFile(file) as it:
        return int(it.samplerate), it.read(it.frames)


def juce_base64(text):
    """JUCE's own form of base64: the number of bytes, a dot, and six bits a letter, the lowest first."""
    letters = ".ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+"
    size, rest = text.split(".", 1)
    six = np.frombuffer(rest.encode(), dtype=np.uint8)
    table = np.zeros(256, dtype=np.uint8)
    table[np.frombuffer(letters.encode(), dtype=np.uint8)] = np.arange(64, dtype=np.uint8)
    bits = np.unpackbits(table[six][:, None], axis=1, bitorder="little")[:, :6]
    return np.packbits(bits.reshape(-1), bitorder="little").tobytes()[: int(size)]


if __name__ == "__main__":
    main()
