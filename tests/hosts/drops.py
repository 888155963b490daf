"""The two other ends of drag and drop between X programs (XDND 5): one that drags files, and one that takes them.

The source asks the innermost window first. Toolkits go from the top down; but JUCE says of every window of its own that it takes drops,
so in a JUCE host whatever they bring is the host's.
"""

import time
from urllib.parse import quote, unquote, urlparse

from Xlib import Xatom, X, display
from Xlib.protocol import event

VERSION = 5
NAMES = "Aware Proxy Enter Position Status Leave Drop Finished Selection ActionCopy".split()


class _End:
    def __init__(self):
        self.display = display.Display()
        self.root = self.display.screen().root
        self.atoms = {name: self.display.intern_atom(f"Xdnd{name}") for name in NAMES}
        self.list_type = self.display.intern_atom("text/uri-list")

    def events(self, seconds):
        """What comes within so many seconds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            while self.display.pending_events():
                yield self.display.next_event()
            time.sleep(0.01)

    def tell(self, to, window, name, *numbers):
        """Sends `to` a message of the protocol that is meant for `window`."""
        data = (32, [*numbers, *[0] * (5 - len(numbers))])
        message = event.ClientMessage(window=window, client_type=self.atoms[name], data=data)
        to.send_event(message, event_mask=0)
        self.display.flush()


class Source(_End):
    """Drags one file from nowhere to a place on the screen."""

    def __init__(self, file):
        super().__init__()
        self.list = f"file://{quote(str(file))}\r\n".encode()
        self.window = self.root.create_window(0, 0, 1, 1, 0, X.CopyFromParent)
        self.window.set_selection_owner(self.atoms["Selection"], X.CurrentTime)

    def _target(self, x, y):
        """The innermost window there that knows the protocol: itself, and who listens for it."""
        window, found = self.root, None
        while window := window.translate_coords(self.root, x, y).child:
            proxy = window.get_full_property(self.atoms["Proxy"], Xatom.WINDOW)
            listener = self.display.create_resource_object("window", proxy.value[0]) if proxy else window
            if listener.get_full_property(self.atoms["Aware"], X.AnyPropertyType):
                found = window, listener
        assert found, f"no window at {x}, {y} takes drops"
        return found

    def drop(self, x, y, seconds=5.0):
        """Drags the file over the place and lets go; whether it was accepted."""
        window, listener = self._target(x, y)
        own = self.window.id
        self.tell(listener, window, "Enter", own, VERSION << 24, self.list_type)
        accepted, let_go, deadline = False, False, time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not let_go:
                place = (own, 0, x << 16 | y, X.CurrentTime, self.atoms["ActionCopy"])
                self.tell(listener, window, "Position", *place)
            for seen in self.events(0.2):
                if seen.type == X.SelectionRequest:
                    self._answer(seen)
                elif seen.type == X.ClientMessage and seen.client_type == self.atoms["Status"]:
                    accepted = bool(seen.data[1][1] & 1)
                elif seen.type == X.ClientMessage and seen.client_type == self.atoms["Finished"]:
                    return bool(seen.data[1][1] & 1)
            if accepted and not let_go:
                self.tell(listener, window, "Drop", own, 0, X.CurrentTime)
                let_go = True
        raise AssertionError("nobody said that the drop is over" if let_go else "the drop was never accepted")

    def _answer(self, request):
        request.requestor.change_property(request.property, self.list_type, 8, self.list)
        self.display.send_event(
            request.requestor,
            event.SelectionNotify(
                time=request.time,
                requestor=request.requestor,
                selection=request.selection,
                target=request.target,
                property=request.property,
            ),
        )
        self.display.flush()


class Target(_End):
    """A window at a place of the screen that takes files."""

    def __init__(self, x, y, size=200):
        super().__init__()
        self.middle = (x + size // 2, y + size // 2)
        self.window = self.root.create_window(
            x, y, size, size, 0, X.CopyFromParent, override_redirect=1, background_pixel=0xFFFFFF
        )
        self.window.change_property(self.atoms["Aware"], Xatom.ATOM, 32, [VERSION])
        self.window.map()
        self.display.sync()

    def attend(self, seconds):
        """Answers whoever drags over the window for so many seconds; the files, once some were let go."""
        for seen in self.events(seconds):
            if seen.type == X.ClientMessage and seen.client_type == self.atoms["Position"]:
                source = self.display.create_resource_object("window", seen.data[1][0])
                answer = (self.window.id, 1, 0, 0, self.atoms["ActionCopy"])
                self.tell(source, source, "Status", *answer)
            elif seen.type == X.ClientMessage and seen.client_type == self.atoms["Drop"]:
                self.source = self.display.create_resource_object("window", seen.data[1][0])
                wanted = (self.atoms["Selection"], self.list_type, self.list_type, seen.data[1][2])
                self.window.convert_selection(*wanted)
                self.display.flush()
            elif seen.type == X.SelectionNotify:
                found = self.window.get_full_property(self.list_type, X.AnyPropertyType)
                self.tell(self.source, self.source, "Finished", self.window.id, 1, self.atoms["ActionCopy"])
                lines = bytes(found.value).decode().split() if found else []
                return [unquote(urlparse(line).path) for line in lines]
        return None
