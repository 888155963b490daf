//! The target against a server and somebody who drags, as a file manager does: it looks for the window under the pointer from the top,
//! heeds the proxy, and waits for each answer.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use x11rb::protocol::xproto::{CreateWindowAux, SelectionNotifyEvent};

use super::*;

/// A host with the editor's window in its own, and somebody with files to drag.
struct Desktop {
    connection: RustConnection,
    atoms: Atoms,
    host: Window,
    editor: Window,
    source: Window,
    list: Vec<u8>,
}

impl Desktop {
    /// The host's window has a bar of 100 pixels over the editor's.
    fn open(host_takes_drops: bool, list: &[u8]) -> Self {
        let (connection, screen) = RustConnection::connect(None).expect("a server to connect to");
        let atoms = Atoms::new(&connection).unwrap().reply().unwrap();
        let root = connection.setup().roots[screen].root;
        let window = |parent, y, height| {
            let id = connection.generate_id().unwrap();
            let aux = CreateWindowAux::new().override_redirect(1);
            connection.create_window(0, id, parent, 0, y, 400, height, 0, WindowClass::INPUT_OUTPUT, 0, &aux).unwrap();
            connection.map_window(id).unwrap();
            id
        };
        let host = window(root, 0, 400);
        let editor = window(host, 100, 300);
        let source = window(root, 500, 50);
        let this = Self { connection, atoms, host, editor, source, list: list.to_vec() };
        // As the windowing library does, and a host that takes drops.
        this.make_aware(editor);
        if host_takes_drops {
            this.make_aware(host);
        }
        this.connection.set_selection_owner(source, atoms.XdndSelection, 0_u32).unwrap().check().unwrap();
        this
    }

    fn make_aware(&self, window: Window) {
        let aware =
            self.connection.change_property32(PropMode::REPLACE, window, self.atoms.XdndAware, AtomEnum::ATOM, &[5]);
        aware.unwrap().check().unwrap();
    }

    fn property(&self, window: Window, property: u32) -> Option<u32> {
        let reply =
            self.connection.get_property(false, window, property, AtomEnum::ANY, 0, 1).unwrap().reply().unwrap();
        reply.value32().and_then(|mut values| values.next())
    }

    /// The first window from the top that takes drops, and who is spoken to there.
    fn target(&self) -> Option<(Window, Window)> {
        [self.host, self.editor].into_iter().find_map(|window| {
            let proxy = self.property(window, self.atoms.XdndProxy);
            let proxy = proxy.filter(|proxy| self.property(*proxy, self.atoms.XdndProxy) == Some(*proxy));
            let spoken_to = proxy.unwrap_or(window);
            self.property(spoken_to, self.atoms.XdndAware).map(|_| (window, spoken_to))
        })
    }

    fn say(&self, (window, spoken_to): (Window, Window), kind: u32, data: [u32; 5]) {
        let message = ClientMessageEvent::new(32, window, kind, data);
        self.connection.send_event(false, spoken_to, EventMask::NO_EVENT, message).unwrap().check().unwrap();
    }

    /// Hands the files over when asked, until a message of this kind comes.
    fn answer(&self, kind: u32) -> [u32; 5] {
        let since = Instant::now();
        loop {
            assert!(since.elapsed() < Duration::from_secs(20), "no answer comes");
            match self.connection.poll_for_event().unwrap() {
                Some(Event::SelectionRequest(request)) => {
                    let (requestor, property) = (request.requestor, request.property);
                    let list = self.connection.change_property8(
                        PropMode::REPLACE,
                        requestor,
                        property,
                        request.target,
                        &self.list,
                    );
                    list.unwrap().check().unwrap();
                    let notify = SelectionNotifyEvent {
                        response_type: x11rb::protocol::xproto::SELECTION_NOTIFY_EVENT,
                        sequence: 0,
                        time: request.time,
                        requestor,
                        selection: request.selection,
                        target: request.target,
                        property,
                    };
                    self.connection.send_event(false, requestor, EventMask::NO_EVENT, notify).unwrap().check().unwrap();
                }
                Some(Event::ClientMessage(event)) if event.type_ == kind => return event.data.as_data32(),
                Some(_) => {}
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    /// Comes over a place of the screen; says whether a drop there would be taken.
    fn hover(&self, target: (Window, Window), y: u32) -> bool {
        self.say(target, self.atoms.XdndPosition, [self.source, 0, 50 << 16 | y, 0, self.atoms.XdndActionCopy]);
        let status = self.answer(self.atoms.XdndStatus);
        assert_eq!(status[0], target.0, "it speaks of the window that was spoken of");
        status[1] & 1 == 1
    }

    fn enter(&self, target: (Window, Window)) {
        self.say(target, self.atoms.XdndEnter, [self.source, VERSION << 24, self.atoms.UriList, 0, 0]);
    }

    fn let_go(&self, target: (Window, Window)) -> bool {
        self.say(target, self.atoms.XdndDrop, [self.source, 0, 0, 0, 0]);
        self.answer(self.atoms.XdndFinished)[1] & 1 == 1
    }

    fn editors_target(&self, inbox: &Inbox) -> Target {
        let target = Target::on_window(None, self.editor, inbox.clone(), || {}).unwrap();
        soon("the target", || target.listening.get().is_some());
        target
    }
}

fn soon(what: &str, is: impl Fn() -> bool) {
    let since = Instant::now();
    while !is() {
        assert!(since.elapsed() < Duration::from_secs(20), "{what} does not come");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
#[ignore = "needs an X server; cargo test --lib editor::drop::x11 -- --ignored, under Xvfb for one"]
fn a_file_that_is_dragged_over_the_host_and_dropped_on_the_editor_arrives() {
    let desktop = Desktop::open(false, b"file:///clips/a%20b.wav\r\n");
    let inbox = Inbox::default();
    let editor = desktop.editors_target(&inbox);
    let target = desktop.target().unwrap();
    assert_eq!(target.0, desktop.host);
    assert_eq!(desktop.property(desktop.editor, desktop.atoms.XdndAware), None, "nobody is told yes for nothing");

    desktop.enter(target);
    assert!(!desktop.hover(target, 50), "the bar is the host's");
    assert!(inbox.hovered().is_empty());
    assert!(desktop.hover(target, 150));
    let clip = [PathBuf::from("/clips/a b.wav")];
    soon("the file over the window", || inbox.hovered() == clip);
    assert!(desktop.let_go(target));
    soon("the file", || inbox.take_dropped() == clip);
    assert!(inbox.hovered().is_empty());

    drop(editor);
    soon("the end", || desktop.property(desktop.host, desktop.atoms.XdndAware).is_none());
    assert_eq!(desktop.property(desktop.host, desktop.atoms.XdndProxy), None);
    assert_eq!(desktop.target(), None);
}

#[test]
#[ignore = "needs an X server; cargo test --lib editor::drop::x11 -- --ignored, under Xvfb for one"]
fn what_is_of_no_use_is_refused_and_what_leaves_is_gone() {
    let desktop = Desktop::open(false, b"file:///clips/notes.txt\r\n");
    let inbox = Inbox::default();
    let editor = desktop.editors_target(&inbox);
    let target = desktop.target().unwrap();
    desktop.enter(target);
    assert!(!desktop.hover(target, 150));
    soon("the file over the window", || !inbox.hovered().is_empty());
    desktop.say(target, desktop.atoms.XdndLeave, [desktop.source, 0, 0, 0, 0]);
    soon("its leave", || inbox.hovered().is_empty());
    // Text is no file.
    desktop.say(target, desktop.atoms.XdndEnter, [desktop.source, VERSION << 24, desktop.atoms.XdndActionCopy, 0, 0]);
    assert!(!desktop.hover(target, 150));
    assert!(!desktop.let_go(target));
    assert!(inbox.take_dropped().is_empty());
    drop(editor);
}

#[test]
#[ignore = "needs an X server; cargo test --lib editor::drop::x11 -- --ignored, under Xvfb for one"]
fn a_host_that_takes_drops_keeps_them() {
    let desktop = Desktop::open(true, b"file:///a.wav\r\n");
    let editor = desktop.editors_target(&Inbox::default());
    assert_eq!(desktop.target(), Some((desktop.host, desktop.host)));
    assert_eq!(desktop.property(desktop.host, desktop.atoms.XdndProxy), None);
    drop(editor);

    // One that begins later, too.
    let desktop = Desktop::open(false, b"file:///a.wav\r\n");
    let editor = desktop.editors_target(&Inbox::default());
    assert_ne!(desktop.target(), Some((desktop.host, desktop.host)));
    desktop.make_aware(desktop.host);
    soon("the host's own", || desktop.target() == Some((desktop.host, desktop.host)));
    drop(editor);
}

#[test]
#[ignore = "needs an X server; cargo test --lib editor::drop::x11 -- --ignored, under Xvfb for one"]
fn a_window_that_goes_takes_its_target_along() {
    let desktop = Desktop::open(false, b"file:///a.wav\r\n");
    let editor = desktop.editors_target(&Inbox::default());
    let (_, proxy) = desktop.target().unwrap();
    desktop.connection.destroy_window(desktop.host).unwrap().check().unwrap();
    soon("the end", || Arc::strong_count(&editor.listening) == 1);
    // What held on to the connection is gone, and with it the proxy.
    drop(editor);
    soon("the end of its window", || desktop.connection.get_geometry(proxy).unwrap().reply().is_err());
}
