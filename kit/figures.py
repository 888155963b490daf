#!/usr/bin/env python3
"""Gathers what run.sh's steps have measured into one file.

    figures.py WORK OUT.json

WORK is run.sh's folder: `figures/NAME.json` holds the figures of a step, `steps.tsv` has a line for each step that has ended (name, exit
code, seconds, file with what it printed), and `runs/NAME/log.jsonl` is the trainer's log of a run. A step may be writing at this moment:
what cannot be read is said to be unreadable.
"""
import json
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

# Lines of a failed step's output that go along.
LAST_LINES = 15
# The exit code of a program that was asked to stop, and did.
STOPPED = 130


def cpu_name():
    """The processor's name, as the system calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def machine(work):
    """What all this was measured on."""
    gpu = work / "gpu.txt"
    return {
        "gpu": gpu.read_text().strip() if gpu.exists() else "",
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def steps(work):
    """Each step that has ended, with the end of its output where it failed."""
    lines = (work / "steps.tsv").read_text().splitlines() if (work / "steps.tsv").exists() else []
    gathered = []
    for line in lines:
        name, code, seconds, log = line.split("\t")
        step = {"name": name, "exit_code": int(code), "seconds": int(seconds)}
        if step["exit_code"] not in (0, STOPPED) and Path(log).exists():
            step["output"] = Path(log).read_text(errors="replace").splitlines()[-LAST_LINES:]
        gathered.append(step)
    return gathered


def corpus(work):
    """How much music has been played, and what cannot be."""
    played = work / "played.tsv"
    rows = [line.split("\t") for line in played.read_text().splitlines()] if played.exists() else []
    rows = [row for row in rows if len(row) == 4]
    if not rows:
        return None
    done, pieces, seconds, _ = rows[-1]
    return {
        "pieces": int(done),
        "pieces_to_play": int(pieces),
        "minutes": float(seconds) / 60,
        "failed": sum(row[3] == "-" for row in rows),
    }


def run(folder):
    """Of a run's log: how each sitting began, the newest losses and speed, and all measurements on held-out pieces."""
    events = []
    for line in (folder / "log.jsonl").read_text(errors="replace").splitlines():
        try:
            events.append(json.loads(line))
        except json.JSONDecodeError:
            # The last line may be half written.
            continue
    of = {}
    for event in events:
        of.setdefault(event.get("event"), []).append(event)
    return {
        "started": of.get("start", []),
        "last_train": of.get("train", [None])[-1],
        "heldout": of.get("heldout", []),
        "stopped": of.get("stop", []),
    }


def figures(work):
    """All of it."""
    gathered = {"machine": machine(work), "steps": steps(work)}
    played = corpus(work)
    if played:
        gathered["corpus"] = played
    for file in sorted((work / "figures").glob("*.json")):
        try:
            gathered[file.stem] = json.loads(file.read_text())
        except (OSError, json.JSONDecodeError) as fault:
            gathered[file.stem] = {"unreadable": str(fault)}
    logs = sorted((work / "runs").glob("*/log.jsonl"), key=lambda log: log.stat().st_mtime)
    gathered["runs"] = {log.parent.name: run(log.parent) for log in logs}
    return gathered


def main():
    work, out = Path(sys.argv[1]), Path(sys.argv[2])
    # Written elsewhere first, under a name of its own: several steps may end at once, and whoever reads it finds it whole.
    with tempfile.NamedTemporaryFile("w", dir=work, suffix=".json", delete=False) as file:
        json.dump(figures(work), file, indent=1)
    os.chmod(file.name, 0o644)
    shutil.move(file.name, out)


if __name__ == "__main__":
    main()
