#!/usr/bin/env python3
"""Plays piano MIDI on the sampled grand of samples.npz, into 16-bit mono WAV. Needs numpy alone.

    render_piano.py OUT FILE.mid... [--jobs N] [--rate R] [--samples samples.npz] [--mixed] [--progress FILE]

Pieces are finished in the order in which they are given, or with --mixed in an order that looks random but is always the same, so that
the first pieces are a fair choice of all. With --progress, FILE gets one line of four columns, parted by tabs, for each finished piece:
how many are finished, how many there are, seconds of music so far, and the WAV (or `-` where the MIDI cannot be played). So whoever
waits for the first hour of music can begin with it while the rest is played.

Levels are those of the playing; nothing is normalised. A piece that would clip is turned down as a whole. A WAV has its name only
when it is complete, and one that is there already is not played again. The same pieces give the same files on machines of one kind.
"""
import argparse
import functools
import hashlib
import multiprocessing
import os
import signal
import struct
import sys
import wave
from fractions import Fraction
from pathlib import Path

import numpy as np

import samples as piano

# What a full stroke of one key is turned down by, so that chords seldom clip.
GAIN = 0.35
# The largest amplitude of a piece; full scale is 1.
HIGHEST_PEAK = 0.95
# Silence after the last note, for what still sounds.
TAIL_SECONDS = 3.0
# The pedal is down from this controller value on.
PEDAL_DOWN = 64
# Strings from this key on have no dampers.
FIRST_UNDAMPED_KEY = 90
# Frames of music per second of MIDI that does not say: 120 quarter notes a minute.
USUAL_TEMPO = 500_000
# How exactly a change of pitch is met: fractions with such denominators are within a hundredth of a cent of a semitone.
LARGEST_DENOMINATOR = 200
# Share of the spectrum below the highest frequency over which a change of pitch fades it out: a sharp edge would ring.
FADED_BAND = 0.03


class MidiError(Exception):
    """A file that is not MIDI, or is damaged."""


class Reader:
    """Bytes of a MIDI file, from the first to the last."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        if self.at + count > len(self.data):
            raise MidiError("it breaks off")
        self.at += count
        return self.data[self.at - count : self.at]

    def byte(self):
        return self.take(1)[0]

    def length(self):
        """A number of variable length: seven bits a byte, the high bit says that more follow."""
        value = 0
        while True:
            byte = self.byte()
            value = value << 7 | byte & 127
            if byte < 128:
                return value


def track_events(data):
    """The (tick, rank, kind, key, value) of one track. Of what happens on one tick, rank says what is first: tempo, ends, beginnings."""
    reader, tick, status, events = Reader(data), 0, 0, []
    while reader.at < len(data):
        tick += reader.length()
        first = reader.byte()
        if first >= 128:
            status = first
        else:
            # A message without status has that of the one before.
            reader.at -= 1
        kind = status & 0xF0
        if status == 0xFF:
            meta, value = reader.byte(), reader.take(reader.length())
            if meta == 0x51:
                events.append((tick, 0, "tempo", 0, int.from_bytes(value, "big")))
        elif status in (0xF0, 0xF7):
            reader.take(reader.length())
        elif kind in (0xC0, 0xD0):
            reader.byte()
        elif kind < 0x80:
            raise MidiError("it begins without a status")
        else:
            key, value = reader.take(2)
            if kind == 0x90 and value > 0:
                events.append((tick, 2, "press", key, value))
            elif kind in (0x80, 0x90):
                events.append((tick, 1, "release", key, 0))
            elif kind == 0xB0 and key == 64:
                events.append((tick, 1, "pedal", 0, value))
    return events


def midi_events(path):
    """(seconds, kind, key, value) of all tracks, in order of time."""
    reader = Reader(Path(path).read_bytes())
    if reader.take(4) != b"MThd":
        raise MidiError("it is not MIDI")
    header = reader.take(struct.unpack(">I", reader.take(4))[0])
    division = struct.unpack(">H", header[4:6])[0]
    if division == 0 or division & 0x8000:
        raise MidiError("its time is not counted in parts of a quarter note")
    events = []
    while reader.at < len(reader.data):
        name, size = reader.take(4), struct.unpack(">I", reader.take(4))[0]
        track = reader.take(size)
        if name == b"MTrk":
            events += track_events(track)
    events.sort(key=lambda event: event[:2])
    seconds, last_tick, tempo, timed = 0.0, 0, USUAL_TEMPO, []
    for tick, _, kind, key, value in events:
        seconds += (tick - last_tick) * tempo / 1e6 / division
        last_tick = tick
        if kind == "tempo":
            tempo = value
        else:
            timed.append((seconds, kind, key, value))
    return timed


def played_notes(events):
    """(begin, end, key, velocity) in seconds. A note ends when neither its key nor the pedal holds it, or when it is struck again."""
    held, sounding, pedal, notes, now = set(), {}, False, [], 0.0

    def end(key):
        if key in sounding:
            begin, velocity = sounding.pop(key)
            notes.append((begin, now, key, velocity))

    for now, kind, key, value in events:
        if kind == "press":
            end(key)
            held.add(key)
            sounding[key] = (now, value)
        elif kind == "release":
            held.discard(key)
            if not pedal:
                end(key)
        else:
            if pedal and value < PEDAL_DOWN:
                for other in [other for other in sounding if other not in held]:
                    end(other)
            pedal = value >= PEDAL_DOWN
    # What nobody ended is let go a second after the last event.
    now += 1.0
    for key in list(sounding):
        end(key)
    return notes


def fast_length(least):
    """The smallest number from `least` on without a prime factor above 5: what a Fourier transform is fast for."""
    best, fives = 1 << max(0, least - 1).bit_length(), 1
    while fives < best:
        threes = fives
        while threes < best:
            best = min(best, threes << max(0, -(-least // threes) - 1).bit_length())
            threes *= 3
        fives *= 5
    return best


def faster(note, ratio):
    """A note at `ratio` times its pitch, and so 1 / `ratio` times as long: what it is between its frames is its spectrum's business.

    A signal's spectrum, cut or padded with zeros, is the spectrum of the same signal in fewer or more frames. Silence after the note
    gives it a length that the ratio's numerator divides, and keeps its end from running into its beginning.
    """
    exact = Fraction(ratio).limit_denominator(LARGEST_DENOMINATOR)
    if exact == 1:
        return note.astype(np.float32)
    blocks = fast_length(-(-len(note) // exact.numerator) + 2)
    length, changed = blocks * exact.numerator, blocks * exact.denominator
    spectrum = np.fft.rfft(note, length)
    kept = min(len(spectrum), changed // 2 + 1)
    faded = int(kept * FADED_BAND)
    spectrum[kept - faded : kept] *= np.cos(np.linspace(0, np.pi / 2, faded)) ** 2
    frames = np.fft.irfft(spectrum[:kept], changed) * (changed / length)
    return frames[: round(len(note) / ratio)].astype(np.float32)


class Piano:
    """The sampled grand at one rate. What it has played once it keeps, so each process has its own notes after a few pieces."""

    def __init__(self, samples, rate):
        self.samples = samples
        self.rate = rate
        # The velocity that each of the 16 layers was struck with: they share 1 to 127 evenly.
        self.velocities = 8.0 * np.arange(1, 17) - 3.5

    @functools.lru_cache(maxsize=None)
    def note(self, layer, key):
        """Frames of a key in a layer, and how loud they are: the nearest recorded key at this one's pitch."""
        nearest = int(np.argmin(np.abs(self.samples.keys - key)))
        ratio = 2 ** ((key - self.samples.keys[nearest]) / 12) * self.samples.rate / self.rate
        loudness = self.samples.loudness[self.samples.layers[layer] - 1, nearest]
        return faster(self.samples.notes[layer][nearest] * np.float32(1 / 32768), ratio), loudness

    @functools.lru_cache(maxsize=None)
    def stroke(self, velocity, key):
        """Which layer a stroke is played from, and how loud it is.

        The layer gives the timbre. The loudness goes evenly from layer to layer, over all 16 that were recorded, so that a crescendo
        has no steps where one layer gives way to the next; below the softest it falls with the velocity.
        """
        layer = int(np.argmin(np.abs(self.velocities[self.samples.layers - 1] - velocity)))
        nearest = int(np.argmin(np.abs(self.samples.keys - key)))
        recorded = self.samples.loudness[:, nearest]
        loudness = float(np.exp(np.interp(velocity, self.velocities, np.log(recorded))))
        return layer, loudness * min(1.0, velocity / self.velocities[0])

    @functools.lru_cache(maxsize=None)
    def damping(self, key):
        """Amplitudes after a damper falls; none for a string without one. Long strings come to rest more slowly."""
        if key >= FIRST_UNDAMPED_KEY:
            return None
        seconds = 0.07 + 0.12 * (FIRST_UNDAMPED_KEY - key) / (FIRST_UNDAMPED_KEY - piano.LOWEST_KEY)
        frames = np.arange(int(8 * seconds * self.rate), dtype=np.float32)
        return np.exp(frames / np.float32(-seconds * self.rate))

    def play(self, notes):
        """The sound of (begin, end, key, velocity), as f32 frames."""
        seconds = max((end for _, end, _, _ in notes), default=0.0) + TAIL_SECONDS
        sound = np.zeros(int(seconds * self.rate) + 1, np.float32)
        for begin, end, key, velocity in notes:
            if not piano.LOWEST_KEY <= key <= piano.HIGHEST_KEY:
                continue
            layer, wanted = self.stroke(velocity, key)
            note, loudness = self.note(layer, key)
            first, held, damping = int(begin * self.rate), int((end - begin) * self.rate), self.damping(key)
            length = len(note) if damping is None else min(len(note), held + len(damping))
            length = min(length, len(sound) - first)
            part = note[:length] * np.float32(GAIN * wanted / loudness)
            if damping is not None and held < length:
                part[held:] *= damping[: length - held]
            sound[first : first + length] += part
        peak = np.abs(sound).max(initial=0.0)
        return sound * np.float32(HIGHEST_PEAK / peak) if peak > HIGHEST_PEAK else sound


def write_wav(path, sound, rate):
    """Writes a WAV beside its place, then puts it there."""
    beside = path.with_name(path.name + ".part")
    with wave.open(str(beside), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(sound * 32767).astype("<i2").tobytes())
    beside.replace(path)


def wav_seconds(path):
    """How long a WAV is."""
    with wave.open(str(path), "rb") as file:
        return file.getnframes() / file.getframerate()


def render(grand, midi, wav):
    """Plays a piece, unless it is there. Gives back its seconds, and a fault where it cannot be played."""
    try:
        if not wav.exists():
            write_wav(wav, grand.play(played_notes(midi_events(midi))), grand.rate)
        return wav_seconds(wav), None
    except (MidiError, OSError, wave.Error) as fault:
        return 0.0, f"{midi}: {fault}"


# What a process of the pool plays on. The pool forks, so the samples are in memory once.
grand = None


def work(job):
    return render(grand, *job)


def leave(_signal, _frame):
    sys.exit("stopped")


def main():
    global grand
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder for the WAVs")
    parser.add_argument("files", nargs="+", type=Path, help="MIDI files, in the order in which they shall be finished")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes; one per core without it")
    parser.add_argument("--rate", type=int, help="frames per second; the samples' own without it")
    parser.add_argument("--samples", default=Path(__file__).with_name("samples.npz"), help="the piano, made by samples.py")
    parser.add_argument("--mixed", action="store_true", help="in a mixed order instead of the one given")
    parser.add_argument("--progress", type=Path, help="file that gets a line for each finished piece")
    arguments = parser.parse_args()

    loaded = piano.load(arguments.samples)
    grand = Piano(loaded, arguments.rate or loaded.rate)
    arguments.out.mkdir(parents=True, exist_ok=True)
    files = arguments.files
    if arguments.mixed:
        # By a hash of the name: a piece that is added moves no other.
        files = sorted(files, key=lambda file: hashlib.sha256(file.name.encode()).digest())
    jobs = [(midi, arguments.out / f"{midi.stem}.wav") for midi in files]
    if len({wav for _, wav in jobs}) < len(jobs):
        parser.error("two files have the same name, and would be played into the same WAV")
    # Asked to end, this process takes those of the pool with it.
    signal.signal(signal.SIGTERM, leave)
    done, seconds, faults = 0, 0.0, 0
    progress = open(arguments.progress, "w") if arguments.progress else None
    with multiprocessing.get_context("fork").Pool(arguments.jobs, signal.signal, (signal.SIGTERM, signal.SIG_DFL)) as pool:
        for (_, wav), (length, fault) in zip(jobs, pool.imap(work, jobs)):
            done, seconds = done + 1, seconds + length
            if fault:
                faults += 1
                print(fault, file=sys.stderr)
            if progress:
                print(done, len(jobs), f"{seconds:.1f}", "-" if fault else wav, sep="\t", file=progress, flush=True)
    print(f"{done - faults} of {len(jobs)} pieces, {seconds / 60:.1f} minutes of music", file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
