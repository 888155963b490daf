//! A target for files on an X11 window that is another's: a window of our own, never shown, which the editor's window names as its proxy
//! (`XdndProxy`), so that whoever drags talks to a connection of ours. No other client's messages are touched.
//!
//! File managers ask the host's top window first, and many ask no other (GTK, compositors for Wayland's windows). Where that one takes no
//! drops, it gets the same proxy for as long as the editor is open; a host that takes drops itself keeps them.

use std::sync::{Arc, OnceLock};

use nice_plug_egui::RepaintNotifier;
use nice_plug_egui::baseview::WindowContext;
use raw_window_handle::{HasWindowHandle as _, RawWindowHandle};
use x11rb::connection::Connection as _;
use x11rb::errors::ReplyError;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    AtomEnum, ChangeWindowAttributesAux, ClientMessageEvent, ConnectionExt as _, CreateWindowAux, EventMask, PropMode,
    Property, WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

use super::inbox::Inbox;
use super::intent::intent;
use super::xdnd::{Answer, Drags, Message, Window};
use crate::threads;

/// The version of the protocol, unchanged since 2002.
const VERSION: u32 = 5;

/// Most bytes of a list of files, in words of 4.
const MOST_LIST: u32 = 1 << 18;

x11rb::atom_manager! {
    /// Names that the protocol has on the server.
    Atoms: AtomsCookie {
        XdndAware,
        XdndProxy,
        XdndEnter,
        XdndPosition,
        XdndStatus,
        XdndLeave,
        XdndDrop,
        XdndFinished,
        XdndSelection,
        XdndTypeList,
        XdndActionCopy,
        WM_STATE,
        UriList: b"text/uri-list",
        Quit: b"CONTINUO_QUIT",
    }
}

/// The target of an editor's window. Ends with the window, or when dropped.
#[derive(Debug)]
pub struct Target {
    /// The editor's window.
    window: Window,
    /// Once the thread has a connection: that, and the window that it listens on.
    listening: Arc<OnceLock<(Arc<RustConnection>, Window, u32)>>,
}

impl Target {
    /// A target for this window; `None` where that is no window of X11, or no thread can be started.
    pub fn on(window: &WindowContext, inbox: Inbox, repaint: RepaintNotifier) -> Option<Self> {
        let window = match window.window_handle().ok()?.as_raw() {
            RawWindowHandle::Xlib(handle) => Window::try_from(handle.window).ok()?,
            RawWindowHandle::Xcb(handle) => handle.window.get(),
            _ => return None,
        };
        Self::on_window(None, window, inbox, move || repaint.request_repaint())
    }

    fn on_window(
        display: Option<String>,
        window: Window,
        inbox: Inbox,
        notify: impl Fn() + Send + 'static,
    ) -> Option<Self> {
        let listening = Arc::default();
        let shared = Arc::clone(&listening);
        // A server that takes its time must not hold up the host's windows.
        let thread = threads::start("continuo-drop", move || {
            if let Err(error) = listen(display.as_deref(), window, &shared, &inbox, &notify) {
                tracing::debug!("files can no longer be dropped on the window: {error}");
            }
            inbox.hover(Vec::new());
            notify();
        });
        thread.inspect_err(|error| tracing::warn!("files cannot be dropped on the window: {error}")).ok()?;
        Some(Self { window, listening })
    }

    /// The windows that take drops for this editor.
    pub fn windows(&self) -> Vec<Window> {
        let proxy = self.listening.get().map(|(_, proxy, _)| *proxy);
        [self.window].into_iter().chain(proxy).collect()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // Whoever has no connection yet finds that nobody waits for it.
        let Some((connection, proxy, quit)) = self.listening.get() else { return };
        let message = ClientMessageEvent::new(32, *proxy, *quit, [0; 5]);
        // A connection that is broken has ended the thread.
        let _ = connection.send_event(false, *proxy, EventMask::NO_EVENT, message);
        let _ = connection.flush();
    }
}

/// What the thread works with.
struct Listener<'a> {
    connection: &'a RustConnection,
    atoms: Atoms,
    root: Window,
    /// The editor's window.
    window: Window,
    /// The window that others talk to.
    proxy: Window,
    /// The host's top window, where the proxy is set on it.
    host: Option<Window>,
}

fn listen(
    display: Option<&str>,
    window: Window,
    shared: &Arc<OnceLock<(Arc<RustConnection>, Window, u32)>>,
    inbox: &Inbox,
    notify: &impl Fn(),
) -> Result<(), Box<dyn std::error::Error>> {
    let (connection, screen) = RustConnection::connect(display)?;
    let connection = Arc::new(connection);
    let atoms = Atoms::new(&*connection)?.reply()?;
    let root = connection.setup().roots[screen].root;
    let proxy = connection.generate_id()?;
    let aux = CreateWindowAux::new().override_redirect(1);
    connection.create_window(0, proxy, root, -10, -10, 1, 1, 0, WindowClass::INPUT_ONLY, 0, &aux)?.check()?;
    let mut listener = Listener { connection: &connection, atoms, root, window, proxy, host: None };
    listener.announce(proxy, VERSION)?;
    // From here on the thread hears when the window goes.
    let events = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
    connection.change_window_attributes(window, &events)?.check()?;
    connection.change_property32(PropMode::REPLACE, window, atoms.XdndProxy, AtomEnum::WINDOW, &[proxy])?.check()?;
    listener.find_host()?;
    let _ = shared.set((Arc::clone(&connection), proxy, atoms.Quit));
    // The editor may have been closed meanwhile: then nobody else holds on to this, and nobody will say that it is over.
    let outcome = if Arc::strong_count(shared) > 1 { listener.serve(inbox, notify) } else { Ok(()) };
    // What fails here fails because the windows are gone, and with them what was set on them.
    let _ = listener.leave_host();
    let _ = connection.delete_property(window, atoms.XdndProxy).map(x11rb::cookie::VoidCookie::check);
    outcome.map_err(Into::into)
}

impl Listener<'_> {
    /// Says that this window takes drops, through the proxy.
    fn announce(&self, window: Window, version: u32) -> Result<(), ReplyError> {
        let (connection, proxy, atoms) = (self.connection, self.proxy, self.atoms);
        connection
            .change_property32(PropMode::REPLACE, window, atoms.XdndProxy, AtomEnum::WINDOW, &[proxy])?
            .check()?;
        connection.change_property32(PropMode::REPLACE, window, atoms.XdndAware, AtomEnum::ATOM, &[version])?.check()
    }

    fn has(&self, window: Window, property: u32) -> Result<bool, ReplyError> {
        let reply = self.connection.get_property(false, window, property, AtomEnum::ANY, 0, 0)?.reply()?;
        Ok(reply.type_ != 0)
    }

    /// Looks for the host's top window, and sets the proxy on it unless it takes drops itself.
    fn find_host(&mut self) -> Result<(), ReplyError> {
        self.leave_host()?;
        let atoms = self.atoms;
        let mut at = self.window;
        let top = loop {
            if self.has(at, atoms.WM_STATE)? {
                break at;
            }
            let parent = self.connection.query_tree(at)?.reply()?.parent;
            if parent == self.root || parent == 0 {
                break at;
            }
            at = parent;
        };
        if top == self.window || self.has(top, atoms.XdndAware)? || self.has(top, atoms.XdndProxy)? {
            return Ok(());
        }
        self.announce(top, VERSION)?;
        // What is changed from now on, others change.
        let events = EventMask::PROPERTY_CHANGE | EventMask::STRUCTURE_NOTIFY;
        self.connection.change_window_attributes(top, &ChangeWindowAttributesAux::new().event_mask(events))?.check()?;
        self.host = Some(top);
        // Who knows proxies comes through the host's window now. Who does not, and finds this one, would be told yes by the library
        // that made it, and nothing would come of it.
        self.connection.delete_property(self.window, atoms.XdndAware)?.check()
    }

    /// Takes back what was set on the host's window.
    fn leave_host(&mut self) -> Result<(), ReplyError> {
        let Some(host) = self.host.take() else { return Ok(()) };
        let none = ChangeWindowAttributesAux::new().event_mask(EventMask::NO_EVENT);
        self.connection.change_window_attributes(host, &none)?.check()?;
        self.connection.delete_property(host, self.atoms.XdndProxy)?.check()?;
        self.connection.delete_property(host, self.atoms.XdndAware)?.check()
    }

    fn serve(&mut self, inbox: &Inbox, notify: &impl Fn()) -> Result<(), ReplyError> {
        let mut drags = Drags::new(|files| intent(files).is_good());
        // The window that the source speaks of.
        let mut over = self.window;
        loop {
            let message = match self.connection.wait_for_event()? {
                Event::ClientMessage(event) if event.type_ == self.atoms.Quit => return Ok(()),
                Event::ClientMessage(event) => {
                    over = event.window;
                    self.understand(&event)?
                }
                Event::SelectionNotify(event) if event.selection == self.atoms.XdndSelection => {
                    let list = if event.property == 0 { None } else { self.list(event.property)? };
                    Some(Message::Files(list))
                }
                Event::DestroyNotify(event) if event.window == self.window => return Ok(()),
                Event::DestroyNotify(event) if Some(event.window) == self.host => {
                    self.host = None;
                    None
                }
                Event::ReparentNotify(event) if event.window == self.window => {
                    self.find_host()?;
                    None
                }
                // The host has begun to take drops itself: they are its own from now on.
                Event::PropertyNotify(event)
                    if Some(event.window) == self.host && event.atom == self.atoms.XdndAware =>
                {
                    if event.state == Property::NEW_VALUE {
                        self.connection.delete_property(event.window, self.atoms.XdndProxy)?.check()?;
                        self.host = None;
                    }
                    None
                }
                _ => None,
            };
            let Some(message) = message else { continue };
            for answer in drags.hear(message) {
                self.answer(answer, over, inbox, notify)?;
            }
            self.connection.flush()?;
        }
    }

    /// The message that this event is, if it is one of the protocol's.
    fn understand(&self, event: &ClientMessageEvent) -> Result<Option<Message>, ReplyError> {
        if event.format != 32 {
            return Ok(None);
        }
        let [source, flags, place, position_time, _] = event.data.as_data32();
        let drop_time = place;
        Ok(match event.type_ {
            it if it == self.atoms.XdndEnter => {
                let types = if flags & 1 == 0 {
                    event.data.as_data32()[2..].to_vec()
                } else {
                    let list = self.connection.get_property(
                        false,
                        source,
                        self.atoms.XdndTypeList,
                        AtomEnum::ATOM,
                        0,
                        1 << 12,
                    )?;
                    // A source that is gone drags nothing.
                    list.reply().ok().and_then(|reply| reply.value32().map(Iterator::collect)).unwrap_or_default()
                };
                Some(Message::Enter { source, has_files: types.contains(&self.atoms.UriList) })
            }
            it if it == self.atoms.XdndPosition => {
                let (x, y) = ((place >> 16) as u16 as i16, place as u16 as i16);
                Some(Message::Position { source, inside: self.is_inside(x, y)?, time: position_time })
            }
            it if it == self.atoms.XdndLeave => Some(Message::Leave { source }),
            it if it == self.atoms.XdndDrop => Some(Message::Drop { source, time: drop_time }),
            _ => None,
        })
    }

    /// Whether a place of the screen lies in the editor's window.
    fn is_inside(&self, x: i16, y: i16) -> Result<bool, ReplyError> {
        let place = self.connection.translate_coordinates(self.root, self.window, x, y)?;
        let size = self.connection.get_geometry(self.window)?;
        let (place, size) = (place.reply()?, size.reply()?);
        let within = |at: i16, length: u16| u16::try_from(at).is_ok_and(|at| at < length);
        Ok(within(place.dst_x, size.width) && within(place.dst_y, size.height))
    }

    /// The list of files that was laid down at our window.
    fn list(&self, property: u32) -> Result<Option<Vec<u8>>, ReplyError> {
        let reply = self.connection.get_property(true, self.proxy, property, AtomEnum::ANY, 0, MOST_LIST)?.reply()?;
        let is_list = reply.type_ == self.atoms.UriList && reply.format == 8 && reply.bytes_after == 0;
        Ok(is_list.then_some(reply.value))
    }

    /// Does what was answered to a message about the window `over`.
    fn answer(&self, answer: Answer, over: Window, inbox: &Inbox, notify: &impl Fn()) -> Result<(), ReplyError> {
        let atoms = self.atoms;
        let action = |yes: bool| if yes { atoms.XdndActionCopy } else { 0 };
        let tell = |source: Window, kind: u32, data: [u32; 5]| -> Result<(), ReplyError> {
            let message = ClientMessageEvent::new(32, source, kind, data);
            self.connection.send_event(false, source, EventMask::NO_EVENT, message)?;
            Ok(())
        };
        match answer {
            Answer::AskForFiles { time } => {
                self.connection.convert_selection(
                    self.proxy,
                    atoms.XdndSelection,
                    atoms.UriList,
                    atoms.XdndSelection,
                    time,
                )?;
            }
            // The second bit: tell of every move, since a part of the window may be the host's.
            Answer::Status { source, accepts } => {
                tell(source, atoms.XdndStatus, [over, u32::from(accepts) | 2, 0, 0, action(accepts)])?;
            }
            Answer::Finished { source, accepted } => {
                tell(source, atoms.XdndFinished, [over, u32::from(accepted), action(accepted), 0, 0])?;
            }
            Answer::Hover(files) => {
                inbox.hover(files);
                notify();
            }
            Answer::Dropped(files) => {
                inbox.drop(files);
                notify();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
