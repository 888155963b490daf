//! The renderer: one per process, shared by every instance.
//!
//! A service thread listens to the sessions (the editors ring a bell; what `process()` asks for is polled, since the audio
//! thread must not wake anybody) and keeps the queue; a worker thread of low priority renders one request after the
//! other; files are written and looked at by threads of their own. All end with the process's last instance. Instances talk
//! to it through their [`Session`] alone.

mod errands;
mod error;
mod job;
mod models;
mod preferences;
mod priority;
mod service;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;

use continuo_engine::Workers;

pub use error::RenderError;

use crate::session::{BELL, Concern, Preferences, Priority, Session, Status, Ticket, lock};
use crate::settings::Settings;
use crate::threads;

/// The process's renderer, for as long as somebody holds it.
pub struct Renderer {
    shared: Arc<Shared>,
    service: Mutex<Option<JoinHandle<()>>>,
}

/// What the threads share.
struct Shared {
    stop: AtomicBool,
    sessions: Mutex<Vec<Weak<Session>>>,
    queue: Mutex<Queue>,
    /// Rung when the queue has grown or the renderer stops.
    work: Condvar,
    /// Makes a measurement give way to a render.
    give_way: AtomicBool,
    models: models::Models,
    /// What the user wants of the renderer; read from their file when somebody first asks.
    preferences: Mutex<Option<Preferences>>,
    /// What was wrong with that file, until somebody has been told.
    problem: Mutex<Option<RenderError>>,
    /// The threads that renders share; started when something is first rendered or measured.
    workers: Mutex<Option<Workers>>,
    /// Held by whoever writes an export.
    exporting: Mutex<()>,
}

/// What there is to do for the worker.
#[derive(Default)]
struct Queue {
    requests: VecDeque<Request>,
    /// For this session, the model is to be measured; renders come first.
    measure: Option<Weak<Session>>,
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.measure.is_none()
    }
}

/// What the worker does next.
enum Job {
    Render(Request),
    Measure(Weak<Session>),
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
            queue: Mutex::default(),
            work: Condvar::new(),
            give_way: AtomicBool::new(false),
            models: models::Models::default(),
            preferences: Mutex::new(None),
            problem: Mutex::new(None),
            workers: Mutex::new(None),
            exporting: Mutex::new(()),
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

impl Shared {
    /// What the user wants of the renderer. A file that cannot be understood is told to the first session that asks.
    fn preferences(&self, session: Option<&Session>) -> Preferences {
        let preferences = *lock(&self.preferences).get_or_insert_with(|| {
            let (preferences, problem) = preferences::read();
            *lock(&self.problem) = problem;
            preferences
        });
        if let Some(session) = session
            && let Some(problem) = lock(&self.problem).take()
        {
            session.complain_of(Concern::Preferences, &problem);
        }
        preferences
    }

    /// Renders like this from now on. What is being rendered goes on as it began.
    fn prefer(&self, wanted: Preferences) -> Result<(), RenderError> {
        let before = lock(&self.preferences).replace(wanted);
        let changed = |what: fn(&Preferences) -> (usize, Priority)| before.as_ref().map(what) != Some(what(&wanted));
        if changed(|preferences| (preferences.threads_used(), preferences.priority)) {
            // A render holds on to its threads until it ends.
            drop(lock(&self.workers).take());
            // The worker ends and is started again, since no thread may raise its own priority.
            self.work.notify_all();
        }
        preferences::write(&wanted)
    }

    /// The threads that renders share.
    fn workers(&self, session: &Session) -> Workers {
        let start = || {
            // Read under the lock, so that threads of settings that have just been replaced are not kept.
            let preferences = self.preferences(Some(session));
            let priority = preferences.priority;
            Workers::new(preferences.threads_used(), move || priority::set(priority)).unwrap_or_else(|error| {
                session.complain(&error);
                Workers::alone()
            })
        };
        lock(&self.workers).get_or_insert_with(start).clone()
    }

    /// How many sessions somebody looks at: each may have a model of its own that must not make room for another's, or they
    /// would be opened again and again.
    fn watched(&self) -> usize {
        lock(&self.sessions).iter().filter_map(Weak::upgrade).filter(|session| session.is_watched()).count()
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
            snapshot.status = Status::Waiting { ahead: queue.requests.len() };
        });
        queue.requests.push_back(Request { session: Arc::downgrade(session), ticket, settings });
        self.give_way.store(true, Ordering::Release);
        drop(queue);
        self.work.notify_all();
    }

    /// Has the model of this session measured when there is nothing to render.
    fn measure(&self, session: &Arc<Session>) {
        lock(&self.queue).measure = Some(Arc::downgrade(session));
        self.work.notify_all();
    }

    /// What a worker of this priority does next; `None` when it is to end.
    fn next_job(&self, priority: Priority) -> Option<Job> {
        let ends = || self.stopping() || self.preferences(None).priority != priority;
        let queue = lock(&self.queue);
        let mut queue =
            self.work.wait_while(queue, |queue| queue.is_empty() && !ends()).unwrap_or_else(PoisonError::into_inner);
        if ends() {
            return None;
        }
        if let Some(request) = queue.requests.pop_front() {
            return Some(Job::Render(request));
        }
        // Under the lock: a request that comes from now on makes the measurement give way.
        self.give_way.store(self.stopping(), Ordering::Release);
        queue.measure.take().map(Job::Measure)
    }

    /// Ends all requests that wait; nothing is left to be measured either.
    fn refuse_all(&self, error: &RenderError) {
        let waiting = std::mem::take(&mut *lock(&self.queue)).requests;
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
        queue.requests.retain(|request| {
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
