//! A file in one of the server's selections, for whoever asks for it: what is dragged, or what was copied.

use std::path::Path;
use std::time::{Duration, Instant};

use url::Url;
use x11rb::connection::Connection as _;
use x11rb::errors::{ReplyError, ReplyOrIdError};
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    Atom, AtomEnum, ConnectionExt as _, CreateWindowAux, EventMask, PropMode, SELECTION_NOTIFY_EVENT,
    SelectionNotifyEvent, SelectionRequestEvent, WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

use super::protocol::Window;

/// How long a server may take to say what time it is.
const CLOCK: Duration = Duration::from_secs(2);

x11rb::atom_manager! {
    /// Names that a selection of files has on the server.
    pub SelectionAtoms: SelectionAtomsCookie {
        CLIPBOARD,
        XdndSelection,
        TARGETS,
        TIMESTAMP,
        UriList: b"text/uri-list",
        GnomeFiles: b"x-special/gnome-copied-files",
        Clock: b"CONTINUO_CLOCK",
        Quit: b"CONTINUO_QUIT",
    }
}

/// A connection with a window, never shown, that owns a selection.
#[derive(Debug)]
pub struct Holder {
    pub connection: RustConnection,
    pub atoms: SelectionAtoms,
    pub root: Window,
    pub window: Window,
    /// The server's time at which the selection was taken.
    pub time: u32,
    /// The forms in which the file is offered.
    forms: Vec<Atom>,
}

impl Holder {
    /// Connects to a server; `None`: the one that the environment names.
    ///
    /// # Errors
    /// What the connection or the server says.
    pub fn connect(display: Option<&str>) -> Result<Self, Box<dyn std::error::Error>> {
        let (connection, screen) = RustConnection::connect(display)?;
        let atoms = SelectionAtoms::new(&connection)?.reply()?;
        let root = connection.setup().roots[screen].root;
        let window = Self::create_window(&connection, root)?;
        Ok(Self { connection, atoms, root, window, time: 0, forms: vec![atoms.UriList] })
    }

    fn create_window(connection: &RustConnection, root: Window) -> Result<Window, ReplyOrIdError> {
        let window = connection.generate_id()?;
        let aux = CreateWindowAux::new().override_redirect(1).event_mask(EventMask::PROPERTY_CHANGE);
        connection.create_window(0, window, root, -10, -10, 1, 1, 0, WindowClass::INPUT_ONLY, 0, &aux)?.check()?;
        Ok(window)
    }

    /// Takes a selection; says whether it was had.
    ///
    /// # Errors
    /// What the connection or the server says.
    pub fn take(&mut self, selection: Atom) -> Result<bool, ReplyError> {
        if selection == self.atoms.CLIPBOARD {
            // File managers of GTK paste this form alone.
            self.forms = vec![self.atoms.UriList, self.atoms.GnomeFiles];
        }
        self.time = self.now()?;
        self.connection.set_selection_owner(self.window, selection, self.time)?.check()?;
        Ok(self.connection.get_selection_owner(selection)?.reply()?.owner == self.window)
    }

    /// The server's time: what a change of a property is stamped with. 0, which means now, where it does not say.
    fn now(&self) -> Result<u32, ReplyError> {
        let (window, property) = (self.window, self.atoms.Clock);
        self.connection.change_property8(PropMode::APPEND, window, property, AtomEnum::STRING, &[])?.check()?;
        let since = Instant::now();
        while since.elapsed() < CLOCK {
            match self.connection.poll_for_event()? {
                Some(Event::PropertyNotify(event)) if event.atom == property => return Ok(event.time),
                Some(_) => {}
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        Ok(0)
    }

    /// Answers a request for the selection with a file; without one, and for what is not offered, with a no.
    ///
    /// # Errors
    /// What the connection says. Whoever has asked and is gone by now is no error.
    pub fn answer(&self, request: &SelectionRequestEvent, file: Option<&Path>) -> Result<(), ReplyError> {
        // Old clients name no property.
        let property = if request.property == 0 { request.target } else { request.property };
        let laid_down = self.lay_down(request, property, file)?;
        let notify = SelectionNotifyEvent {
            response_type: SELECTION_NOTIFY_EVENT,
            sequence: 0,
            time: request.time,
            requestor: request.requestor,
            selection: request.selection,
            target: request.target,
            property: if laid_down { property } else { 0 },
        };
        unless_gone(self.connection.send_event(false, request.requestor, EventMask::NO_EVENT, notify)?.check())?;
        Ok(())
    }

    /// Whether a request can be answered before the file is there.
    pub fn needs_no_file(&self, request: &SelectionRequestEvent) -> bool {
        !self.forms.contains(&request.target)
    }

    fn lay_down(
        &self,
        request: &SelectionRequestEvent,
        property: Atom,
        file: Option<&Path>,
    ) -> Result<bool, ReplyError> {
        let (connection, atoms, asks) = (&self.connection, self.atoms, request.target);
        let text = |text: String| {
            connection.change_property8(PropMode::REPLACE, request.requestor, property, asks, text.as_bytes())
        };
        let words = |kind: AtomEnum, words: &[u32]| {
            connection.change_property32(PropMode::REPLACE, request.requestor, property, kind, words)
        };
        let address = file.and_then(address);
        let cookie = if asks == atoms.TARGETS {
            let targets: Vec<u32> = [atoms.TARGETS, atoms.TIMESTAMP].into_iter().chain(self.forms.clone()).collect();
            words(AtomEnum::ATOM, &targets)?
        } else if asks == atoms.TIMESTAMP {
            words(AtomEnum::INTEGER, &[self.time])?
        } else if let Some(address) = address.filter(|_| self.forms.contains(&asks)) {
            if asks == atoms.UriList { text(list_of(&address))? } else { text(format!("copy\n{address}"))? }
        } else {
            return Ok(false);
        };
        unless_gone(cookie.check())
    }
}

/// Whether a request to another's window was done; it is not where that is gone.
///
/// # Errors
/// What the connection says.
pub fn unless_gone(result: Result<(), ReplyError>) -> Result<bool, ReplyError> {
    match result {
        Ok(()) => Ok(true),
        Err(ReplyError::X11Error(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

fn address(file: &Path) -> Option<String> {
    Url::from_file_path(file).ok().map(Into::into)
}

/// A list of one file.
fn list_of(address: &str) -> String {
    format!("{address}\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_an_address_in_a_list() {
        let list = |path: &str| address(Path::new(path)).map(|address| list_of(&address));
        assert_eq!(list("/a/Take 3, é.wav").as_deref(), Some("file:///a/Take%203,%20%C3%A9.wav\r\n"));
        assert_eq!(list("take.wav"), None, "nobody knows where that is");
    }
}
