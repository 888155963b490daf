//! The renderer: one per process, shared by every instance.
//!
//! A service thread listens to the sessions (the editors ring a bell; what `process()` asks for is polled, since the audio
//! thread must not wake anybody) and keeps the queue; a worker thread of low priority renders one request after the
//! other. Both end with the process's last instance. Instances talk to it through their [`Session`] alone.

mod error;
mod job;
mod models;
mod preferences;
mod priority;
mod service;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, Weak};
use std::thread::JoinHandle;

use continuo_engine::Workers;

pub use error::RenderError;
pub(crate) use job::MAX_SEED_SECONDS;

use preferences::Preferences;

use crate::params::Settings;
use crate::session::{BELL, Session, Status, Ticket, lock};

/// The process's renderer, for as long as somebody holds it.
pub struct Renderer {
    shared: Arc<Shared>,
    service: Mutex<Option<JoinHandle<()>>>,
}

/// What the threads share.
struct Shared {
    stop: AtomicBool,
    sessions: Mutex<Vec<Weak<Session>>>,
    queue: Mutex<VecDeque<Request>>,
    /// Rung when the queue has grown or the renderer stops.
    work: Condvar,
    models: models::Models,
    preferences: OnceLock<(Preferences, Option<RenderError>)>,
    workers: OnceLock<Workers>,
}

/// A render that was asked for.
struct Request {
    session: Weak<Session>,
    ticket: Arc<Ticket>,
    settings: Settings,
}

impl Renderer {
    /// The process's renderer; starts it if this is the first instance.
    pub fn acquire() -> Arc<Self> {
        static CURRENT: Mutex<Weak<Renderer>> = Mutex::new(Weak::new());
        let mut current = lock(&CURRENT);
        if let Some(renderer) = current.upgrade() {
            return renderer;
        }
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            sessions: Mutex::new(Vec::new()),
            queue: Mutex::new(VecDeque::new()),
            work: Condvar::new(),
            models: models::Models::default(),
            preferences: OnceLock::new(),
            workers: OnceLock::new(),
        });
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
        self.shared.stop.store(true, Ordering::Release);
        for request in lock(&self.shared.queue).drain(..) {
            request.ticket.stop();
        }
        BELL.ring();
        // The service thread ends the worker before it ends itself. No thread may outlive the library's code.
        if let Some(service) = lock(&self.service).take() {
            let _ = service.join();
        }
    }
}

impl Shared {
    /// What the user wants of the renderer; read from their file when something is first rendered.
    fn preferences(&self) -> &Preferences {
        &self.preferences.get_or_init(Preferences::of_user).0
    }

    /// The threads that renders share; started when something is first rendered.
    fn workers(&self, session: &Session) -> Workers {
        let start = || {
            let (preferences, problem) = self.preferences.get_or_init(Preferences::of_user);
            if let Some(problem) = problem {
                session.complain(problem);
            }
            let priority = preferences.priority;
            Workers::new(preferences.threads(), move || priority::set(priority)).unwrap_or_else(|error| {
                session.complain(&error);
                Workers::alone()
            })
        };
        self.workers.get_or_init(start).clone()
    }

    fn stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Puts a request at the queue's end; what the session asked for before is cancelled.
    fn submit(&self, session: &Arc<Session>, settings: Settings) {
        session.cancel_all();
        let ticket = Ticket::new();
        lock(&session.tickets).push(Arc::clone(&ticket));
        let mut queue = lock(&self.queue);
        session.post(|snapshot| {
            snapshot.error = None;
            snapshot.notice = None;
            snapshot.status = Status::Waiting { ahead: queue.len() };
        });
        queue.push_back(Request { session: Arc::downgrade(session), ticket, settings });
        drop(queue);
        self.work.notify_all();
    }

    /// The next request; `None` when the renderer stops.
    fn next_request(&self) -> Option<Request> {
        let queue = lock(&self.queue);
        let mut queue = self
            .work
            .wait_while(queue, |queue| queue.is_empty() && !self.stopping())
            .unwrap_or_else(PoisonError::into_inner);
        if self.stopping() { None } else { queue.pop_front() }
    }

    /// Ends all requests that wait.
    fn refuse_all(&self, error: &RenderError) {
        let waiting = std::mem::take(&mut *lock(&self.queue));
        for Request { session, ticket, .. } in waiting {
            if let Some(session) = session.upgrade() {
                session.complain(error);
                conclude(&session, &ticket, Status::Failed);
            }
        }
    }

    /// Takes cancelled requests out of the queue and tells those that wait how many come first.
    fn tend_queue(&self) {
        let mut cancelled = Vec::new();
        let mut queue = lock(&self.queue);
        let mut ahead = 0;
        queue.retain(|request| {
            let Some(session) = request.session.upgrade() else { return false };
            if request.ticket.is_cancelled() {
                cancelled.push((session, Arc::clone(&request.ticket)));
                return false;
            }
            session.post(|snapshot| {
                if let Status::Waiting { ahead: shown } = &mut snapshot.status {
                    *shown = ahead;
                }
            });
            ahead += 1;
            true
        });
        drop(queue);
        for (session, ticket) in cancelled {
            conclude(&session, &ticket, Status::Cancelled);
        }
    }
}

/// Ends a request: nobody waits for it any longer.
fn conclude(session: &Session, ticket: &Arc<Ticket>, status: Status) {
    let mut tickets = lock(&session.tickets);
    let before = tickets.len();
    tickets.retain(|other| !Arc::ptr_eq(other, ticket));
    let ended = tickets.len() < before;
    // A newer request of the same instance has its own status by now.
    let last = tickets.is_empty();
    drop(tickets);
    if last {
        session.post(|snapshot| snapshot.status = status);
    }
    if ended {
        session.link.end_request();
    }
}
