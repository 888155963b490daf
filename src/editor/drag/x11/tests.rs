//! The source against a server and somebody who takes drops, as a host does: with a real pointer, whose button is down over a window
//! of another connection, which therefore has it.

use std::io::IoSlice;
use std::sync::mpsc;

use x11rb::connection::RequestConnection as _;
use x11rb::protocol::xproto::{CreateWindowAux, GrabMode, GrabStatus, PropMode, WindowClass};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

use super::super::clipboard::{self, Copied};
use super::*;
use crate::session::{Command, Session};

/// Events that a device makes, as the extension for tests has them.
const KEY_PRESS: u8 = 2;
const KEY_RELEASE: u8 = 3;
const BUTTON_PRESS: u8 = 4;
const BUTTON_RELEASE: u8 = 5;
const MOTION: u8 = 6;

/// A desktop with the editor's window at the left and another program's at the right.
struct Desktop {
    connection: RustConnection,
    atoms: Atoms,
    root: Window,
    /// The editor's window, as the windowing library has it, in a host's that takes drops itself.
    editor: Window,
    /// The other program's window, and its own in which it takes drops.
    receiver: Window,
    xtest: u8,
}

impl Desktop {
    fn open(aware: bool) -> Self {
        let (connection, screen) = connect();
        let atoms = Atoms::new(&connection).unwrap().reply().unwrap();
        let root = connection.setup().roots[screen].root;
        let xtest = connection.extension_information("XTEST").unwrap().expect("the extension for tests").major_opcode;
        let events = EventMask::BUTTON_PRESS | EventMask::BUTTON_RELEASE | EventMask::POINTER_MOTION;
        let window = |parent, x| {
            let id = connection.generate_id().unwrap();
            let aux = CreateWindowAux::new().override_redirect(1).event_mask(events);
            connection.create_window(0, id, parent, x, 0, 200, 200, 0, WindowClass::INPUT_OUTPUT, 0, &aux).unwrap();
            connection.map_window(id).unwrap();
            id
        };
        let host = window(root, 0);
        let (editor, receiver) = (window(host, 0), window(root, 300));
        let this = Self { connection, atoms, root, editor, receiver, xtest };
        // As the windowing library does.
        this.make_aware(editor);
        this.make_aware(host);
        if aware {
            this.make_aware(receiver);
        }
        this.pointer(50, 50);
        this.fake(BUTTON_RELEASE, 1, 0, 0);
        this
    }

    fn make_aware(&self, window: Window) {
        let aware =
            self.connection.change_property32(PropMode::REPLACE, window, self.atoms.XdndAware, AtomEnum::ATOM, &[5]);
        aware.unwrap().check().unwrap();
    }

    /// What a hand does.
    fn fake(&self, event: u8, detail: u8, x: i16, y: i16) {
        let mut request = vec![self.xtest, 2, 9, 0, event, detail, 0, 0];
        request.extend(0_u32.to_ne_bytes());
        request.extend(self.root.to_ne_bytes());
        request.extend([0; 8]);
        request.extend(x.to_ne_bytes());
        request.extend(y.to_ne_bytes());
        request.extend([0; 8]);
        let sent = self.connection.send_request_without_reply(&[IoSlice::new(&request)], Vec::new()).unwrap();
        sent.check().unwrap();
    }

    fn pointer(&self, x: i16, y: i16) {
        self.fake(MOTION, 0, x, y);
    }

    /// The button goes down over the editor's window, which has the pointer from then on: no other connection can grab it.
    fn press(&self) {
        self.fake(BUTTON_PRESS, 1, 0, 0);
        let (other, _) = RustConnection::connect(None).unwrap();
        let mode = GrabMode::ASYNC;
        let grab = other.grab_pointer(true, self.root, EventMask::NO_EVENT, mode, mode, 0_u32, 0_u32, 0_u32);
        assert_eq!(grab.unwrap().reply().unwrap().status, GrabStatus::ALREADY_GRABBED);
    }

    /// The next message of this kind to a window of ours, with its data.
    fn hear(&self, kind: u32) -> [u32; 5] {
        let since = Instant::now();
        loop {
            assert!(since.elapsed() < Duration::from_secs(20), "nothing is said");
            match self.connection.poll_for_event().unwrap() {
                Some(Event::ClientMessage(event)) if event.type_ == kind => return event.data.as_data32(),
                Some(_) => {}
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    fn say(&self, source: Window, kind: u32, data: [u32; 5]) {
        let message = ClientMessageEvent::new(32, source, kind, data);
        self.connection.send_event(false, source, EventMask::NO_EVENT, message).unwrap().check().unwrap();
    }

    fn accept(&self, source: Window, yes: bool) {
        let action = if yes { self.atoms.XdndActionCopy } else { 0 };
        self.say(source, self.atoms.XdndStatus, [self.receiver, u32::from(yes), 0, 0, action]);
    }

    /// Waits for the file to come over the receiver; gives who drags it.
    fn enter(&self) -> Window {
        self.pointer(350, 60);
        let [source, version, form, ..] = self.hear(self.atoms.XdndEnter);
        assert_eq!((version >> 24, form), (5, self.atom("text/uri-list")));
        let [from, _, place, ..] = self.hear(self.atoms.XdndPosition);
        assert_eq!((from, place), (source, 0x15e_003c));
        source
    }

    fn atom(&self, name: &str) -> u32 {
        self.connection.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom
    }

    /// What a selection holds in a form.
    fn fetch(&self, selection: &str, form: &str) -> Option<Vec<u8>> {
        let (selection, form, property) = (self.atom(selection), self.atom(form), self.atom("TEST"));
        self.connection.convert_selection(self.receiver, selection, form, property, 0_u32).unwrap().check().unwrap();
        let since = Instant::now();
        loop {
            assert!(since.elapsed() < Duration::from_secs(20), "nothing comes");
            match self.connection.poll_for_event().unwrap() {
                Some(Event::SelectionNotify(event)) if event.property == 0 => return None,
                Some(Event::SelectionNotify(_)) => break,
                Some(_) => {}
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        }
        let reply = self.connection.get_property(true, self.receiver, property, AtomEnum::ANY, 0, 1 << 16).unwrap();
        Some(reply.reply().unwrap().value)
    }
}

/// A server that nobody is connected to any more begins anew, and meanwhile refuses whoever comes.
fn connect() -> (RustConnection, usize) {
    let since = Instant::now();
    loop {
        match RustConnection::connect(None) {
            Ok(connected) => return connected,
            Err(error) => assert!(since.elapsed() < Duration::from_secs(10), "no server to connect to: {error}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A drag on a thread of its own, as the editor has it.
struct Begun {
    wire: Arc<Wire>,
    end: mpsc::Receiver<(End, Option<PathBuf>)>,
}

fn begin(desktop: &Desktop, parcel: &Parcel) -> Begun {
    let (wire, parcel, own) = (Arc::<Wire>::default(), parcel.clone(), [desktop.editor]);
    let (say, end) = mpsc::channel();
    let shared = Arc::clone(&wire);
    std::thread::spawn(move || say.send(drag(None, &parcel, &own, &shared, &|| {}).unwrap()).unwrap());
    Begun { wire, end }
}

impl Begun {
    fn end(&self) -> (End, Option<PathBuf>) {
        self.end.recv_timeout(Duration::from_secs(20)).expect("an end")
    }
}

fn soon(what: &str, is: impl Fn() -> bool) {
    let since = Instant::now();
    while !is() {
        assert!(since.elapsed() < Duration::from_secs(20), "{what} does not come");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Has a variation of the chosen take dragged to another program, and gives the file that this one got.
pub(crate) fn dropped(session: &Session, variation: usize) -> PathBuf {
    let desktop = Desktop::open(true);
    desktop.press();
    let parcel = Parcel::default();
    session.send(Command::WriteOut { variation, parcel: parcel.clone() });
    let begun = begin(&desktop, &parcel);
    // Over the window that it is dragged from, it is over nothing.
    desktop.pointer(60, 60);
    let source = desktop.enter();
    desktop.accept(source, true);
    soon("the yes", || begun.wire.accepts.load(Ordering::Acquire));
    desktop.fake(BUTTON_RELEASE, 1, 0, 0);
    desktop.hear(desktop.atoms.XdndDrop);
    let targets = desktop.fetch("XdndSelection", "TARGETS").unwrap();
    let targets: Vec<u32> = targets.chunks(4).map(|bytes| u32::from_ne_bytes(bytes.try_into().unwrap())).collect();
    assert!(targets.contains(&desktop.atom("text/uri-list")));
    assert_eq!(desktop.fetch("XdndSelection", "text/plain"), None);
    let list = String::from_utf8(desktop.fetch("XdndSelection", "text/uri-list").unwrap()).unwrap();
    let address = url::Url::parse(list.strip_suffix("\r\n").unwrap()).unwrap();
    desktop.say(source, desktop.atoms.XdndFinished, [desktop.receiver, 1, desktop.atoms.XdndActionCopy, 0, 0]);
    let file = address.to_file_path().unwrap();
    assert_eq!(begun.end(), (End::Taken, Some(file.clone())));
    file
}

#[test]
#[ignore = "needs an X server; cargo test --lib editor::drag::x11 -- --ignored --test-threads 1, under Xvfb for one"]
fn what_is_asked_for_before_the_file_is_there_is_answered_when_it_is() {
    let desktop = Desktop::open(true);
    desktop.press();
    let parcel = Parcel::default();
    let begun = begin(&desktop, &parcel);
    let source = desktop.enter();
    desktop.accept(source, true);
    soon("the yes", || begun.wire.accepts.load(Ordering::Acquire));
    let writes = parcel.clone();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        writes.settle(Content::Written("/takes/a b.wav".into()));
    });
    assert_eq!(desktop.fetch("XdndSelection", "text/uri-list").as_deref(), Some(&b"file:///takes/a%20b.wav\r\n"[..]));
    desktop.fake(BUTTON_RELEASE, 1, 0, 0);
    desktop.hear(desktop.atoms.XdndDrop);
    desktop.say(source, desktop.atoms.XdndFinished, [desktop.receiver, 0, 0, 0, 0]);
    assert_eq!(begun.end().0, End::Refused);
}

#[test]
#[ignore = "needs an X server; cargo test --lib editor::drag::x11 -- --ignored --test-threads 1, under Xvfb for one"]
fn escape_a_refusal_a_dead_window_and_no_window_end_a_drag() {
    let desktop = Desktop::open(true);
    let written = || {
        let parcel = Parcel::default();
        parcel.settle(Content::Written("/takes/a.wav".into()));
        parcel
    };
    desktop.press();
    let begun = begin(&desktop, &written());
    let source = desktop.enter();
    desktop.accept(source, true);
    let holder = Holder::connect(None).unwrap();
    let escape = keys_of(&holder, ESCAPE).unwrap()[0];
    desktop.fake(KEY_PRESS, escape, 0, 0);
    assert_eq!(desktop.hear(desktop.atoms.XdndLeave)[0], source);
    assert_eq!(begun.end(), (End::Cancelled, None));
    desktop.fake(KEY_RELEASE, escape, 0, 0);
    desktop.fake(BUTTON_RELEASE, 1, 0, 0);

    // Let go over the window that it comes from, and over nothing.
    for x in [60, 250] {
        desktop.pointer(50, 50);
        desktop.press();
        let begun = begin(&desktop, &written());
        desktop.pointer(x, 60);
        desktop.fake(BUTTON_RELEASE, 1, 0, 0);
        assert_eq!(begun.end(), (End::Refused, None));
    }

    desktop.pointer(50, 50);
    desktop.press();
    let begun = begin(&desktop, &written());
    let source = desktop.enter();
    desktop.accept(source, false);
    desktop.fake(BUTTON_RELEASE, 1, 0, 0);
    desktop.hear(desktop.atoms.XdndLeave);
    assert_eq!(begun.end(), (End::Refused, None));

    // The other program dies, and the window is gone that was dropped on.
    desktop.pointer(50, 50);
    desktop.press();
    let begun = begin(&desktop, &written());
    let source = desktop.enter();
    desktop.accept(source, true);
    soon("the yes", || begun.wire.accepts.load(Ordering::Acquire));
    desktop.connection.destroy_window(desktop.receiver).unwrap().check().unwrap();
    desktop.fake(BUTTON_RELEASE, 1, 0, 0);
    assert_eq!(begun.end(), (End::Refused, None));
}

#[test]
#[ignore = "needs an X server; cargo test --lib editor::drag::x11 -- --ignored --test-threads 1, under Xvfb for one"]
fn a_window_without_the_protocol_takes_nothing_and_a_failure_ends_the_drag() {
    let desktop = Desktop::open(false);
    desktop.press();
    let begun = begin(&desktop, &Parcel::default());
    desktop.pointer(350, 60);
    desktop.fake(BUTTON_RELEASE, 1, 0, 0);
    assert_eq!(begun.end(), (End::Refused, None));

    desktop.pointer(50, 50);
    desktop.press();
    let parcel = Parcel::default();
    let begun = begin(&desktop, &parcel);
    parcel.settle(Content::Failed);
    assert_eq!(begun.end(), (End::Cancelled, None));
    desktop.fake(BUTTON_RELEASE, 1, 0, 0);
}

#[test]
#[ignore = "needs an X server; cargo test --lib editor::drag::x11 -- --ignored --test-threads 1, under Xvfb for one"]
fn what_is_copied_is_held_until_something_else_is_or_nobody_wants_it() {
    let desktop = Desktop::open(true);
    let hold = |name: &str| {
        let (copied, parcel) = (Copied::default(), Parcel::default());
        let (shared, parcel_too) = (copied.shared(), parcel.clone());
        let (say, held) = mpsc::channel();
        let holding = std::thread::spawn(move || {
            clipboard::hold(None, &parcel_too, &shared, |_| say.send(()).unwrap()).unwrap();
        });
        parcel.settle(Content::Written(PathBuf::from("/takes").join(name)));
        held.recv_timeout(Duration::from_secs(20)).unwrap();
        (copied, holding)
    };
    let (_first, first_ends) = hold("a.wav");
    let list = |form: &str| desktop.fetch("CLIPBOARD", form).map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(list("text/uri-list").as_deref(), Some("file:///takes/a.wav\r\n"));
    assert_eq!(list("x-special/gnome-copied-files").as_deref(), Some("copy\nfile:///takes/a.wav"));
    let (second, second_ends) = hold("b.wav");
    first_ends.join().unwrap();
    assert_eq!(list("text/uri-list").as_deref(), Some("file:///takes/b.wav\r\n"));
    drop(second);
    second_ends.join().unwrap();
    assert_eq!(list("text/uri-list"), None);
}
