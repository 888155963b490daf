//! The renderer: one per process, shared by every instance.
//!
//! A service thread listens to the sessions (the editors ring a bell; what `process()` asks for is polled, since the audio
//! thread must not wake anybody) and keeps the queue; a worker thread of low priority renders one request after the
//! other, and where others wait, a request's first variation before anybody's further ones; files are written and looked at by threads of their own. All end with the process's last instance. Instances talk
//! to it through their [`Session`] alone.

mod dragged;
mod errands;
mod error;
mod export;
#[cfg(test)]
mod fairness;
mod forecast;
mod from_take;
mod job;
mod listening;
mod locate;
mod making;
mod models;
mod patches;
mod preferences;
mod priority;
mod reveal;
mod service;
mod shared;
#[cfg(test)]
mod soon;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Weak};
use std::thread::JoinHandle;

pub use error::RenderError;
use shared::Shared;

use crate::session::{BELL, Session, lock};
use crate::threads;

/// The process's renderer, for as long as somebody holds it.
pub struct Renderer {
    shared: Arc<Shared>,
    service: Mutex<Option<JoinHandle<()>>>,
}

impl Renderer {
    /// The process's renderer; starts it if this is the first instance.
    pub fn acquire() -> Arc<Self> {
        static CURRENT: Mutex<Weak<Renderer>> = Mutex::new(Weak::new());
        let mut current = lock(&CURRENT);
        if let Some(renderer) = current.upgrade() {
            return renderer;
        }
        let shared = Arc::new(Shared::default());
        let service =
            service::start(Arc::clone(&shared)).inspect_err(|error| tracing::error!("no renderer: {error}")).ok();
        let renderer = Arc::new(Self { shared, service: Mutex::new(service) });
        *current = Arc::downgrade(&renderer);
        renderer
    }

    /// Listens to a session from now on.
    pub fn register(&self, session: &Arc<Session>) {
        if lock(&self.service).is_none() {
            session.link.refuse_requests();
            session.complain(&RenderError::NoThread("no thread for it".to_owned()));
        }
        lock(&self.shared.sessions).push(Arc::downgrade(session));
    }

    /// Stops listening to a session and cancels what it asked for.
    pub fn unregister(&self, session: &Arc<Session>) {
        let this = Arc::downgrade(session);
        lock(&self.shared.sessions).retain(|other| !other.ptr_eq(&this));
        session.cancel_all();
    }
}

impl Drop for Renderer {
    fn drop(&mut self) {
        {
            // Under the lock: a worker that has just looked is either asleep, and woken up below, or will look again.
            let mut queue = lock(&self.shared.queue);
            self.shared.stop.store(true, Ordering::Release);
            self.shared.give_way.store(true, Ordering::Release);
            for request in queue.requests.drain(..) {
                request.ticket.stop();
            }
        }
        self.shared.work.notify_all();
        BELL.ring();
        // The service thread ends the worker before it ends itself. No thread may outlive the library's code.
        if let Some(service) = lock(&self.service).take() {
            let _ = service.join();
        }
        threads::join_all();
    }
}
