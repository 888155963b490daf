"""A screen without a monitor, and a hand on it: a pointer, keys, and an eye for colours.

Everything goes through the X server, as it would from a mouse and a keyboard (XTEST): windows and their libraries see no difference.
"""

import os
import shutil
import subprocess
import time

from Xlib import XK, X, display
from Xlib.ext import xtest

# How long a hand rests between two movements. Editors look at what came once per frame.
REST = 0.03


class Screen:
    """An X server of its own with a window manager, if there is one; ends with the `with` block."""

    def __init__(self, width=1600, height=1200):
        self.size = f"{width}x{height}x24"
        self.children = []

    def __enter__(self):
        command = ["Xvfb", "-displayfd", "1", "-screen", "0", self.size, "+extension", "GLX", "-nolisten", "tcp"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.children.append(server)
        number = server.stdout.readline().strip()
        assert number, "Xvfb does not start (Debian: apt install xvfb)"
        os.environ["DISPLAY"] = f":{number}"
        os.environ["LIBGL_ALWAYS_SOFTWARE"] = "1"
        if manager := shutil.which("openbox"):
            self.children.append(subprocess.Popen([manager], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            time.sleep(1.0)
        return self

    def __exit__(self, *_):
        for child in reversed(self.children):
            child.terminate()
            child.wait()


def until(what, check, seconds=20.0, between=None):
    """Waits until `check` gives something true and returns that; fails with `what`, in words, after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        if found := check():
            return found
        assert time.monotonic() < deadline, f"after {seconds:.0f} s still not so: {what}"
        if between:
            between()
        time.sleep(0.1)


class Hand:
    """Pointer and keys over one window; places are pixels from its upper left corner."""

    def __init__(self, name):
        """Takes the innermost window of that name, once there is one."""
        self.display = display.Display()
        self.root = self.display.screen().root
        self.window = until(f"a window is called {name}", lambda: self._find(self.root, name))

    def _find(self, window, name):
        try:
            for child in reversed(window.query_tree().children):
                if found := self._find(child, name):
                    return found
            shown = window.get_attributes().map_state == X.IsViewable
            return window if shown and window.get_wm_name() == name else None
        except Exception:  # Windows come and go while they are looked at.
            return None

    def size(self):
        """Width and height of the window."""
        found = self.window.get_geometry()
        return found.width, found.height

    def on_screen(self, x, y):
        """The place on the screen of a place in the window."""
        at = self.root.translate_coords(self.window, round(x), round(y))
        return at.x, at.y

    def move_on_screen(self, x, y):
        """Moves the pointer there, in a few steps, as no hand jumps."""
        now = self.root.query_pointer()
        for step in range(1, 9):
            to = [round(was + (will - was) * step / 8) for was, will in ((now.root_x, x), (now.root_y, y))]
            xtest.fake_input(self.display, X.MotionNotify, x=to[0], y=to[1])
            self.display.sync()
            time.sleep(REST)

    def move(self, x, y):
        self.move_on_screen(*self.on_screen(x, y))

    def button(self, down, button=1):
        xtest.fake_input(self.display, X.ButtonPress if down else X.ButtonRelease, button)
        self.display.sync()
        time.sleep(REST)

    def click(self, x, y, button=1, times=1):
        self.move(x, y)
        time.sleep(4 * REST)
        for _ in range(times):
            self.button(True, button)
            time.sleep(REST)
            self.button(False, button)
        time.sleep(4 * REST)

    def drag(self, start, end):
        """Drags from one place in the window to another."""
        self.move(*start)
        time.sleep(8 * REST)
        self.button(True)
        # Without a graphics card an editor may draw a frame in this time, and not see what came between two.
        time.sleep(8 * REST)
        self.move(*end)
        time.sleep(8 * REST)
        self.button(False)
        time.sleep(4 * REST)

    def press(self, key, *held):
        """Presses a key by its X name, with others held: press("z", "Control_L")."""
        codes = [self.display.keysym_to_keycode(XK.string_to_keysym(name)) for name in (*held, key)]
        assert all(codes), f"the keyboard lacks one of {(*held, key)}"
        for code in codes:
            xtest.fake_input(self.display, X.KeyPress, code)
        for code in reversed(codes):
            xtest.fake_input(self.display, X.KeyRelease, code)
        self.display.sync()
        time.sleep(2 * REST)

    def type(self, text):
        """Types digits and small letters."""
        for letter in text:
            self.press({" ": "space", ".": "period"}.get(letter, letter))

    def pixels(self):
        """What is seen of the window, as rows of (red, green, blue)."""
        width, height = self.size()
        data = self.window.get_image(0, 0, width, height, X.ZPixmap, 0xFFFFFFFF).data
        rows = [data[row * width * 4 : (row + 1) * width * 4] for row in range(height)]
        return [[(row[at + 2], row[at + 1], row[at]) for at in range(0, len(row), 4)] for row in rows]
