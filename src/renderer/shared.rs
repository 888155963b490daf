//! What the renderer's threads share: the sessions, the queue, the models, the user's preferences.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};

use continuo_engine::Workers;

use super::error::RenderError;
use super::making::Making;
use super::models::Models;
use super::{preferences, priority};
use crate::session::{Concern, Preferences, Priority, Session, Status, Ticket, lock};
use crate::settings::Settings;

/// What the threads share.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) stop: AtomicBool,
    pub(super) sessions: Mutex<Vec<Weak<Session>>>,
    pub(super) queue: Mutex<Queue>,
    /// Rung when the queue has grown or the renderer stops.
    pub(super) work: Condvar,
    /// Makes a measurement give way to a render.
    pub(super) give_way: AtomicBool,
    pub(super) models: Models,
    /// What the user wants of the renderer; read from their file when somebody first asks.
    preferences: Mutex<Option<Preferences>>,
    /// What was wrong with that file, until somebody has been told.
    problem: Mutex<Option<RenderError>>,
    /// The threads that renders share; started when something is first rendered or measured.
    pub(super) workers: Mutex<Option<Workers>>,
    /// Held by whoever writes an export.
    pub(super) exporting: Mutex<()>,
    /// Held by whoever writes the user's preferences.
    pub(super) noting: Mutex<()>,
}

/// What there is to do for the worker.
#[derive(Default)]
pub(super) struct Queue {
    pub(super) requests: VecDeque<Request>,
    /// For this session, the model is to be measured; renders come first.
    measure: Option<Weak<Session>>,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.measure.is_none()
    }

    /// The request whose turn it is: the first one of which nothing is there yet, else the first one.
    pub(super) fn next_request(&mut self) -> Option<Request> {
        let new = self.requests.iter().position(|request| request.making.is_none());
        self.requests.remove(new.unwrap_or(0))
    }
}

/// What the worker does next.
pub(super) enum Job {
    Render(Request),
    Measure(Weak<Session>),
}

/// A render that was asked for.
pub(super) struct Request {
    pub(super) session: Weak<Session>,
    pub(super) ticket: Arc<Ticket>,
    pub(super) settings: Settings,
    /// What has been made of it already.
    pub(super) making: Option<Box<Making>>,
}

impl Shared {
    /// What the user wants of the renderer. A file that cannot be understood is told to the first session that asks.
    pub(super) fn preferences(&self, session: Option<&Session>) -> Preferences {
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
    pub(super) fn prefer(&self, wanted: Preferences) {
        let before = lock(&self.preferences).replace(wanted);
        let changed = |what: fn(&Preferences) -> (usize, Priority)| before.as_ref().map(what) != Some(what(&wanted));
        if changed(|preferences| (preferences.threads_used(), preferences.priority)) {
            // A render holds on to its threads until it ends.
            drop(lock(&self.workers).take());
            // The worker ends and is started again, since no thread may raise its own priority.
            self.work.notify_all();
        }
    }

    /// The threads that renders share.
    pub(super) fn workers(&self, session: &Session) -> Workers {
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
    pub(super) fn watched(&self) -> usize {
        lock(&self.sessions).iter().filter_map(Weak::upgrade).filter(|session| session.is_watched()).count()
    }

    pub(super) fn stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Puts a request at the queue's end; what the session asked for before is cancelled.
    pub(super) fn submit(&self, session: &Arc<Session>, settings: Settings) {
        session.cancel_all();
        let ticket = Ticket::new();
        lock(&session.tickets).push(Arc::clone(&ticket));
        let mut queue = lock(&self.queue);
        session.post(|snapshot| {
            snapshot.error = None;
            snapshot.notice = None;
            snapshot.status = Status::Waiting { ahead: queue.requests.len() };
        });
        queue.requests.push_back(Request { session: Arc::downgrade(session), ticket, settings, making: None });
        self.give_way.store(true, Ordering::Release);
        drop(queue);
        self.work.notify_all();
    }

    /// Puts a request back that has its first variation; those without one come first.
    pub(super) fn queue_again(&self, session: &Session, request: Request) {
        let mut queue = lock(&self.queue);
        let ahead = queue.requests.len();
        session.post(|snapshot| snapshot.status = Status::Waiting { ahead });
        queue.requests.push_back(request);
        drop(queue);
        self.work.notify_all();
    }

    /// Whether somebody waits for a first variation.
    pub(super) fn others_wait(&self) -> bool {
        let waits = |request: &Request| request.making.is_none() && !request.ticket.is_cancelled();
        lock(&self.queue).requests.iter().any(waits)
    }

    /// Has the model of this session measured when there is nothing to render.
    pub(super) fn measure(&self, session: &Arc<Session>) {
        lock(&self.queue).measure = Some(Arc::downgrade(session));
        self.work.notify_all();
    }

    /// What a worker of this priority does next; `None` when it is to end.
    pub(super) fn next_job(&self, priority: Priority) -> Option<Job> {
        let ends = || self.stopping() || self.preferences(None).priority != priority;
        let queue = lock(&self.queue);
        let mut queue =
            self.work.wait_while(queue, |queue| queue.is_empty() && !ends()).unwrap_or_else(PoisonError::into_inner);
        if ends() {
            return None;
        }
        if let Some(request) = queue.next_request() {
            return Some(Job::Render(request));
        }
        // Under the lock: a request that comes from now on makes the measurement give way.
        self.give_way.store(self.stopping(), Ordering::Release);
        queue.measure.take().map(Job::Measure)
    }

    /// Ends all requests that wait; nothing is left to be measured either.
    pub(super) fn refuse_all(&self, error: &RenderError) {
        let waiting = std::mem::take(&mut *lock(&self.queue)).requests;
        for Request { session, ticket, .. } in waiting {
            if let Some(session) = session.upgrade() {
                session.complain(error);
                session.give_up_live(ticket.id);
                conclude(&session, &ticket, Status::Failed);
            }
        }
    }

    /// Takes cancelled requests out of the queue and tells those that wait how many come first.
    pub(super) fn tend_queue(&self) {
        let mut cancelled = Vec::new();
        let mut queue = lock(&self.queue);
        let mut new = 0;
        queue.requests.retain(|request| {
            let Some(session) = request.session.upgrade() else { return false };
            if request.ticket.is_cancelled() {
                cancelled.push((session, Arc::clone(&request.ticket)));
                return false;
            }
            new += usize::from(request.making.is_none());
            true
        });
        let (mut new_ahead, mut begun_ahead) = (0, new);
        for request in &queue.requests {
            let Some(session) = request.session.upgrade() else { continue };
            let ahead = if request.making.is_none() { &mut new_ahead } else { &mut begun_ahead };
            let waits = Status::Waiting { ahead: *ahead };
            *ahead += 1;
            let told = session.snapshot().status;
            if matches!(told, Status::Waiting { .. }) && told != waits {
                session.post(|snapshot| {
                    if matches!(snapshot.status, Status::Waiting { .. }) {
                        snapshot.status = waits;
                    }
                });
            }
        }
        drop(queue);
        for (session, ticket) in cancelled {
            session.give_up_live(ticket.id);
            conclude(&session, &ticket, Status::Cancelled);
        }
    }
}

/// Ends a request: nobody waits for it any longer.
pub(super) fn conclude(session: &Session, ticket: &Arc<Ticket>, status: Status) {
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
