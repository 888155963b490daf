//! Carrying a take out of the window as a file: dragging it to another one, and copying it.
//!
//! On X11 the window that is dragged from has to speak the protocol itself ([`protocol`], [`x11`]); the windowing library does not. On
//! Windows and macOS nothing of it is there yet, and the editor says so.

#[cfg(all(unix, not(target_os = "macos")))]
mod clipboard;
#[cfg(all(unix, not(target_os = "macos")))]
mod protocol;
#[cfg(all(unix, not(target_os = "macos")))]
mod selection;
#[cfg(all(unix, not(target_os = "macos")))]
mod x11;

#[cfg(not(all(unix, not(target_os = "macos"))))]
pub use elsewhere::Drags;
#[cfg(all(unix, not(target_os = "macos")))]
pub use here::Drags;

#[cfg(test)]
#[cfg(all(unix, not(target_os = "macos")))]
pub(crate) use x11::tests::dropped;

/// Whether files can be carried out of the window on this system.
pub const HERE: bool = cfg!(all(unix, not(target_os = "macos")));

#[cfg(all(unix, not(target_os = "macos")))]
mod here {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use super::clipboard::{self, Copied};
    use super::protocol::End;
    use super::x11::{self, Wire};
    use crate::session::{Command, Concern, Parcel, Session};
    use crate::threads;

    /// Why a file cannot be carried out.
    #[derive(Debug, thiserror::Error)]
    enum DragError {
        #[error("the take cannot be dragged out ({0}); export it to a file instead")]
        Drag(String),
        #[error("the take cannot be copied ({0}); export it to a file instead")]
        Copy(String),
    }

    /// What is being carried out of the window.
    #[derive(Debug, Default)]
    pub struct Drags {
        wire: Option<Arc<Wire>>,
        copied: Option<Copied>,
    }

    impl Drags {
        /// Drags a variation of the chosen take for as long as the button is down. `own` are the windows that belong to this editor:
        /// what is let go there has not been dragged anywhere.
        pub fn begin(&mut self, session: &Arc<Session>, variation: usize, own: Vec<u32>) {
            self.stop();
            let wire = Arc::<Wire>::default();
            let parcel = Parcel::default();
            session.send(Command::WriteOut { variation, parcel: parcel.clone() });
            let (shared, asking) = (Arc::clone(&wire), Arc::clone(session));
            let thread = threads::start("continuo-drag", move || {
                let notify = || asking.repaint.request_repaint();
                match x11::drag(None, &parcel, &own, &shared, &notify) {
                    Ok((End::Taken | End::Unsaid, Some(file))) => {
                        asking.settle(Concern::Export);
                        asking.tell_of_file(&format!("Dragged out as {}.", file.display()), &file);
                    }
                    // Somebody has looked at it, and may go on referring to it.
                    Ok((_, Some(_))) => {}
                    Ok((_, None)) => discard(&parcel),
                    Err(error) => {
                        discard(&parcel);
                        asking.complain_of(Concern::Export, &DragError::Drag(error.to_string()));
                    }
                }
                shared.over.store(true, Ordering::Release);
                notify();
            });
            match thread {
                Ok(()) => self.wire = Some(wire),
                Err(error) => session.complain_of(Concern::Export, &DragError::Drag(error.to_string())),
            }
        }

        /// Puts a variation of the chosen take on the clipboard, as a file.
        pub fn copy(&mut self, session: &Arc<Session>, variation: usize) {
            let (copied, parcel) = (Copied::default(), Parcel::default());
            session.send(Command::WriteOut { variation, parcel: parcel.clone() });
            let (shared, asking) = (copied.shared(), Arc::downgrade(session));
            let thread = threads::start_unbounded("continuo-copy", move || {
                let held = |file: &std::path::Path| {
                    if let Some(session) = asking.upgrade() {
                        session.settle(Concern::Export);
                        session.tell_of_file(&format!("Copied as {}; paste it where files go.", file.display()), file);
                    }
                };
                if let Err(error) = clipboard::hold(None, &parcel, &shared, held)
                    && let Some(session) = asking.upgrade()
                {
                    session.complain_of(Concern::Export, &DragError::Copy(error.to_string()));
                }
            });
            match thread {
                // What was held before is let go of: another connection holds it now.
                Ok(()) => self.copied = Some(copied),
                Err(error) => session.complain_of(Concern::Export, &DragError::Copy(error.to_string())),
            }
        }

        /// Whether something is being dragged, and if so, whether a drop would be taken where the pointer is.
        pub fn accepts(&self) -> Option<bool> {
            let wire = self.wire.as_ref().filter(|wire| !wire.over.load(Ordering::Acquire))?;
            Some(wire.accepts.load(Ordering::Acquire))
        }

        /// Nothing is dragged any more. What was copied stays.
        pub fn stop(&mut self) {
            if let Some(wire) = self.wire.take() {
                wire.stop.store(true, Ordering::Release);
            }
        }
    }

    /// Nobody has heard of the file.
    fn discard(parcel: &Parcel) {
        if let Some(file) = parcel.give_up()
            && let Err(error) = std::fs::remove_file(&file)
        {
            tracing::warn!("{} cannot be taken away: {error}", file.display());
        }
    }

    impl Drop for Drags {
        fn drop(&mut self) {
            self.stop();
        }
    }
}

#[cfg(not(all(unix, not(target_os = "macos"))))]
mod elsewhere {
    /// Nothing is carried out of the window here.
    #[derive(Debug, Default)]
    pub struct Drags;

    impl Drags {
        /// Nothing is dragged.
        pub fn accepts(&self) -> Option<bool> {
            None
        }

        /// Nothing is dragged.
        pub fn stop(&mut self) {}
    }
}
