//! A file on the clipboard: on X11 the clipboard is whoever holds it, so a thread holds it until something else is copied.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{ClientMessageEvent, ConnectionExt as _, EventMask};

use super::selection::Holder;
use crate::session::{Content, Parcel};

/// How often somebody looks whether the file is there.
const LOOK: Duration = Duration::from_millis(10);

/// Ends the thread that holds the clipboard, when dropped.
#[derive(Debug, Default)]
pub struct Copied(Arc<OnceLock<Holder>>);

impl Copied {
    /// For the thread.
    pub fn shared(&self) -> Arc<OnceLock<Holder>> {
        Arc::clone(&self.0)
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        // Whoever has no connection yet finds that nobody waits for it.
        let Some(holder) = self.0.get() else { return };
        let message = ClientMessageEvent::new(32, holder.window, holder.atoms.Quit, [0; 5]);
        // A connection that is broken has ended the thread.
        let _ = holder.connection.send_event(false, holder.window, EventMask::NO_EVENT, message);
        let _ = holder.connection.flush();
    }
}

/// Waits for the file, and holds it on the clipboard until another program copies something or nobody wants it any more; `held` is
/// called once it is there.
///
/// # Errors
/// What the connection or the server says.
pub fn hold(
    display: Option<&str>,
    parcel: &Parcel,
    shared: &Arc<OnceLock<Holder>>,
    held: impl FnOnce(&std::path::Path),
) -> Result<(), Box<dyn std::error::Error>> {
    let wanted = || Arc::strong_count(shared) > 1;
    let file = loop {
        match parcel.content() {
            Content::Waiting if wanted() => std::thread::sleep(LOOK),
            Content::Written(file) => break file,
            // Why it could not be written is told by who has tried.
            Content::Waiting | Content::Failed | Content::Unwanted => return Ok(()),
        }
    };
    let mut holder = Holder::connect(display)?;
    let (clipboard, quit) = (holder.atoms.CLIPBOARD, holder.atoms.Quit);
    if !holder.take(clipboard)? {
        return Err("another program holds on to the clipboard".into());
    }
    let holder = shared.get_or_init(|| holder);
    held(&file);
    while wanted() {
        match holder.connection.wait_for_event()? {
            Event::SelectionRequest(request) => holder.answer(&request, Some(&file))?,
            Event::SelectionClear(event) if event.selection == clipboard => break,
            Event::ClientMessage(event) if event.type_ == quit => break,
            _ => {}
        }
    }
    Ok(())
}
