//! A file that is dragged out of the window, on X11: a thread with a connection of its own.
//!
//! While the button is down, the pointer is the editor's window's: the windowing library has it, and no other connection can grab it.
//! So nobody grabs anything here: the thread asks the server where the pointer is and which buttons and keys are down, some sixty
//! times a second, which any connection may.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use x11rb::connection::Connection as _;
use x11rb::errors::ReplyError;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    AtomEnum, ClientMessageEvent, ConnectionExt as _, EventMask, KeyButMask, SelectionRequestEvent,
};

use super::protocol::{End, Say, Source, Target, Window};
use super::selection::{Holder, unless_gone};
use crate::session::{Content, Parcel};

/// How often the pointer is looked at.
const LOOK: Duration = Duration::from_millis(12);
/// The version of the protocol, unchanged since 2002, and the oldest that says what is said here.
const VERSIONS: std::ops::RangeInclusive<u32> = 3..=5;
/// The key that gives a drag up, as the server names it.
const ESCAPE: u32 = 0xff1b;

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
        XdndActionCopy,
    }
}

/// What the window and the thread tell each other.
#[derive(Debug, Default)]
pub struct Wire {
    /// Nobody wants anything of the drag any more.
    pub stop: AtomicBool,
    /// A drop here and now would be taken.
    pub accepts: AtomicBool,
    /// It is over.
    pub over: AtomicBool,
}

/// What the thread works with.
struct Dragger<'a> {
    holder: Holder,
    atoms: Atoms,
    /// The keys that give it up.
    escapes: Vec<u8>,
    parcel: &'a Parcel,
    /// Windows on which nothing is dropped: the one that is dragged from.
    own: &'a [Window],
    /// Who has asked for a file that is not there yet.
    waiting: Vec<SelectionRequestEvent>,
    /// Whether somebody was told where the file is.
    told: Option<PathBuf>,
}

/// Drags a file until it is dropped or given up; `notify` is called when something has changed that the window shows. Says what came
/// of it, and which file was handed over.
///
/// # Errors
/// What the connection or the server says.
pub fn drag(
    display: Option<&str>,
    parcel: &Parcel,
    own: &[Window],
    wire: &Arc<Wire>,
    notify: &impl Fn(),
) -> Result<(End, Option<PathBuf>), Box<dyn std::error::Error>> {
    let mut holder = Holder::connect(display)?;
    let atoms = Atoms::new(&holder.connection)?.reply()?;
    let escapes = keys_of(&holder, ESCAPE)?;
    let selection = holder.atoms.XdndSelection;
    if !holder.take(selection)? {
        return Err("another program drags something at this moment".into());
    }
    let mut dragger = Dragger { holder, atoms, escapes, parcel, own, waiting: Vec::new(), told: None };
    let end = dragger.run(wire, notify)?;
    Ok((end, dragger.told))
}

/// The keys that stand for a symbol.
fn keys_of(holder: &Holder, symbol: u32) -> Result<Vec<u8>, ReplyError> {
    let setup = holder.connection.setup();
    let (first, count) = (setup.min_keycode, setup.max_keycode - setup.min_keycode + 1);
    let map = holder.connection.get_keyboard_mapping(first, count)?.reply()?;
    let each = usize::from(map.keysyms_per_keycode).max(1);
    let keys = (first..=setup.max_keycode).zip(map.keysyms.chunks(each));
    Ok(keys.filter(|(_, symbols)| symbols.contains(&symbol)).map(|(key, _)| key).collect())
}

impl Dragger<'_> {
    fn run(&mut self, wire: &Wire, notify: &impl Fn()) -> Result<End, ReplyError> {
        let began = Instant::now();
        let mut source = Source::new();
        loop {
            let now = began.elapsed();
            while let Some(event) = self.holder.connection.poll_for_event()? {
                if let Some(end) = self.hear(&mut source, now, &event)? {
                    return Ok(end);
                }
            }
            self.serve()?;
            let (place, held, given_up) = self.look()?;
            let say = if given_up || wire.stop.load(Ordering::Acquire) || self.parcel.content() == Content::Failed {
                source.give_up()
            } else {
                let target = if source.is_held() { self.target_at(place)? } else { None };
                let mut say = source.look(now, place, target);
                if !held {
                    say.extend(source.let_go(now));
                }
                say
            };
            if let Some(end) = self.say(&mut source, say)? {
                return Ok(end);
            }
            if wire.accepts.swap(source.is_accepted(), Ordering::AcqRel) != source.is_accepted() {
                notify();
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Where the pointer is, whether its button is down, and whether the key is that gives it up.
    fn look(&self) -> Result<((i16, i16), bool, bool), ReplyError> {
        let connection = &self.holder.connection;
        let (pointer, keys) = (connection.query_pointer(self.holder.root)?, connection.query_keymap()?);
        let (pointer, keys) = (pointer.reply()?, keys.reply()?);
        let is_down = |key: &u8| keys.keys[usize::from(*key) / 8] >> (key % 8) & 1 == 1;
        let held = pointer.mask.contains(KeyButMask::BUTTON1);
        Ok(((pointer.root_x, pointer.root_y), held, self.escapes.iter().any(is_down)))
    }

    /// Who takes drops at a place of the screen: the first window from the top that says so.
    fn target_at(&self, place: (i16, i16)) -> Result<Option<Target>, ReplyError> {
        let windows = self.windows_at(place)?;
        // Also where the host's window around it takes drops.
        if windows.iter().any(|window| self.own.contains(window)) {
            return Ok(None);
        }
        for window in windows {
            if let Some(target) = self.target(window)? {
                return Ok(Some(target).filter(|target| !self.own.contains(&target.spoken_to)));
            }
        }
        // The desktop itself may have somebody who speaks for it.
        let root = self.holder.root;
        Ok(self.target(root)?.filter(|target| target.spoken_to != root))
    }

    /// The windows at a place of the screen, each within the one before.
    fn windows_at(&self, (x, y): (i16, i16)) -> Result<Vec<Window>, ReplyError> {
        let mut windows = Vec::new();
        let mut within = self.holder.root;
        loop {
            let asked = self.holder.connection.translate_coordinates(self.holder.root, within, x, y)?;
            // Windows come and go meanwhile.
            let child = unless_bad(asked.reply())?.map_or(0, |reply| reply.child);
            if child == 0 {
                return Ok(windows);
            }
            windows.push(child);
            within = child;
        }
    }

    /// A window that takes drops, and who is spoken to there.
    fn target(&self, window: Window) -> Result<Option<Target>, ReplyError> {
        // A proxy that does not name itself is a leftover.
        let proxy = match self.property(window, self.atoms.XdndProxy)? {
            Some(proxy) if self.property(proxy, self.atoms.XdndProxy)? == Some(proxy) => Some(proxy),
            _ => None,
        };
        let spoken_to = proxy.unwrap_or(window);
        let version = self.property(spoken_to, self.atoms.XdndAware)?.filter(|version| *version >= *VERSIONS.start());
        Ok(version.map(|version| Target { window, spoken_to, version: version.min(*VERSIONS.end()) }))
    }

    fn property(&self, window: Window, property: u32) -> Result<Option<u32>, ReplyError> {
        let reply = self.holder.connection.get_property(false, window, property, AtomEnum::ANY, 0, 1)?.reply();
        Ok(unless_bad(reply)?.and_then(|reply| reply.value32().and_then(|mut values| values.next())))
    }

    fn hear(&mut self, source: &mut Source, now: Duration, event: &Event) -> Result<Option<End>, ReplyError> {
        let say = match event {
            Event::SelectionRequest(request) if self.holder.needs_no_file(request) => {
                self.holder.answer(request, None)?;
                return Ok(None);
            }
            Event::SelectionRequest(request) => {
                self.waiting.push(*request);
                return Ok(None);
            }
            Event::ClientMessage(event) if event.format == 32 => {
                let [window, flags, ..] = event.data.as_data32();
                match event.type_ {
                    it if it == self.atoms.XdndStatus => source.hear_status(now, window, flags & 1 == 1),
                    it if it == self.atoms.XdndFinished => {
                        // Before version 5, nobody said that he has refused it.
                        let version = self.target(window)?.map_or(5, |target| target.version);
                        source.hear_finished(window, version < 5 || flags & 1 == 1)
                    }
                    _ => return Ok(None),
                }
            }
            _ => return Ok(None),
        };
        self.say(source, say)
    }

    /// Hands the file over to those who wait for it, once it is there.
    fn serve(&mut self) -> Result<(), ReplyError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let file = match self.parcel.content() {
            Content::Waiting => return Ok(()),
            Content::Written(path) => Some(path),
            Content::Failed | Content::Unwanted => None,
        };
        for request in std::mem::take(&mut self.waiting) {
            self.holder.answer(&request, file.as_deref())?;
        }
        self.told = file;
        Ok(())
    }

    /// Says it; gives the end, where it is over.
    fn say(&self, source: &mut Source, what: Vec<Say>) -> Result<Option<End>, ReplyError> {
        let Atoms { XdndEnter, XdndPosition, XdndLeave, XdndDrop, XdndActionCopy, .. } = self.atoms;
        let Holder { window: own, time, atoms, .. } = self.holder;
        let mut what: std::collections::VecDeque<Say> = what.into();
        while let Some(say) = what.pop_front() {
            let (target, kind, data) = match say {
                Say::End(end) => return Ok(Some(end)),
                Say::Enter(target) => (target, XdndEnter, [own, target.version << 24, atoms.UriList, 0, 0]),
                Say::Position(target, (x, y)) => {
                    let place = u32::from(x as u16) << 16 | u32::from(y as u16);
                    (target, XdndPosition, [own, 0, place, time, XdndActionCopy])
                }
                Say::Leave(target) => (target, XdndLeave, [own, 0, 0, 0, 0]),
                Say::Drop(target) => (target, XdndDrop, [own, 0, time, 0, 0]),
            };
            let message = ClientMessageEvent::new(32, target.window, kind, data);
            let sent = self.holder.connection.send_event(false, target.spoken_to, EventMask::NO_EVENT, message)?;
            if !unless_gone(sent.check())? {
                what.extend(source.is_gone(target.spoken_to));
            }
        }
        Ok(None)
    }
}

/// What the server said of a window; nothing where that is gone.
fn unless_bad<R>(reply: Result<R, ReplyError>) -> Result<Option<R>, ReplyError> {
    match reply {
        Ok(reply) => Ok(Some(reply)),
        Err(ReplyError::X11Error(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
pub(super) mod tests;
