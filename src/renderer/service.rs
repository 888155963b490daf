//! The service thread: listens to the sessions and does what does not take long.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use continuo_engine::audio::{Clip, WavFormat, write_wav};
use continuo_engine::{Model, Workload};

use super::models::Measured;
use super::{RenderError, Shared, job};
use crate::resources;
use crate::session::{AudioCommand, BELL, Command, FileChoice, Session, lock};
use crate::settings::{Mode, Settings};
use crate::take::bench::lay_out;

/// How often `process()`'s wishes are looked at.
const POLL: Duration = Duration::from_millis(10);

/// How often forecasts are made anew.
const FORECAST: Duration = Duration::from_millis(250);

/// Rate of an exported take while no host has named one.
const EXPORT_RATE_HZ: u32 = 48_000;

pub(super) fn start(shared: Arc<Shared>) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("continuo-service".to_owned()).spawn(move || run(&shared))
}

fn run(shared: &Arc<Shared>) {
    // The worker starts when there is something to do: a host that scans sees no more than a sleeping thread.
    let mut worker: Option<JoinHandle<()>> = None;
    let mut forecast_at = Instant::now();
    while !shared.stopping() {
        BELL.wait(POLL);
        let sessions: Vec<Arc<Session>> = lock(&shared.sessions).iter().filter_map(std::sync::Weak::upgrade).collect();
        for session in &sessions {
            guarded(session, || listen(shared, session));
        }
        shared.tend_queue();
        if forecast_at.elapsed() >= FORECAST {
            for session in &sessions {
                guarded(session, || forecast(shared, session));
            }
            forecast_at = Instant::now();
        }
        if worker.as_ref().is_none_or(JoinHandle::is_finished) && !lock(&shared.queue).is_empty() {
            worker = job::start(Arc::clone(shared))
                .inspect_err(|error| shared.refuse_all(&RenderError::NoThread(error.to_string())))
                .ok();
        }
    }
    shared.work.notify_all();
    if let Some(worker) = worker {
        let _ = worker.join();
    }
}

/// Hosts, offline ones above all, wait for what they asked for: if serving a session has a fault, its requests end there
/// and the others go on.
fn guarded(session: &Session, serve: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(serve)).is_err() {
        // Tickets go first, so that whoever concludes one later does not end a newer request in its place.
        let tickets = std::mem::take(&mut *lock(&session.tickets));
        for ticket in tickets {
            ticket.stop();
        }
        session.link.end_all_requests();
        session.complain(&RenderError::Fault);
    }
}

fn listen(shared: &Shared, session: &Arc<Session>) {
    session.link.free_retired();
    watch_switches_at_rest(shared, session);
    while let Some(command) = session.link.take_command() {
        match command {
            AudioCommand::Render(meter) => {
                // `process()` has counted the request already.
                render(shared, session, session.params().map(|params| params.settings(meter)));
            }
            AudioCommand::Cancel => session.cancel_all(),
        }
    }
    while let Some(command) = session.take_command() {
        if let Err(error) = obey(shared, session, command) {
            session.complain(&error);
        }
    }
}

/// A host that does not process audio may still turn the switches; then nobody else would see it.
fn watch_switches_at_rest(shared: &Shared, session: &Arc<Session>) {
    if !session.link.at_rest() {
        return;
    }
    let Some(params) = session.params() else { return };
    let [render_on, cancel_on] = params.switches();
    // Counted before it is taken, so that there is no moment in which an offline host has nothing to wait for.
    let may_turn = render_on && !session.link.render_was_on();
    if may_turn {
        session.link.begin_request();
    }
    let (turned, cancel) = session.link.turned_on(render_on, cancel_on);
    if turned {
        render(shared, session, session.settings());
    } else if may_turn {
        session.link.end_request();
    }
    if cancel {
        session.cancel_all();
    }
}

fn render(shared: &Shared, session: &Arc<Session>, settings: Option<Settings>) {
    match settings {
        Some(settings) => shared.submit(session, settings),
        None => session.link.end_request(),
    }
}

fn obey(shared: &Shared, session: &Arc<Session>, command: Command) -> Result<(), RenderError> {
    match command {
        Command::ChooseModel(path) => {
            let path = existing(path)?;
            session.post(|snapshot| snapshot.model = FileChoice::chosen(path));
            session.touch();
        }
        Command::ChooseSeed(path) => {
            let path = existing(path)?;
            session.post(|snapshot| snapshot.seed = FileChoice::chosen(path));
            session.touch();
        }
        Command::FactoryModel => {
            session.post(|snapshot| snapshot.model = FileChoice::factory_model());
            session.touch();
        }
        Command::FactorySeed => {
            session.post(|snapshot| snapshot.seed = FileChoice::factory_seed());
            session.touch();
        }
        // `Session::send` has counted the request already.
        Command::Render => render(shared, session, session.settings()),
        Command::Cancel => session.cancel_all(),
        Command::ExportTake(path) => export(session, &path)?,
        Command::InlineLimit(bytes) => {
            session.post(|snapshot| snapshot.inline_limit = bytes);
            session.repack();
        }
        Command::Prefer(preferences) => {
            let outcome = shared.prefer(preferences);
            session.post(|snapshot| snapshot.preferences = Some(preferences));
            outcome?;
        }
        Command::DismissError => session.post(|snapshot| snapshot.error = None),
    }
    Ok(())
}

/// Says how long a render would take, and has it measured if that is not known and somebody is looking.
fn forecast(shared: &Shared, session: &Arc<Session>) {
    let watched = session.is_watched();
    if shared.models.is_empty() && !watched {
        return;
    }
    let snapshot = session.snapshot();
    let preferences = shared.preferences(Some(session));
    if watched && snapshot.preferences != Some(preferences) {
        session.post(|snapshot| snapshot.preferences = Some(preferences));
    }
    if snapshot.status.busy() {
        return;
    }
    let Some(path) = snapshot.model.path.or_else(|| resources::default_model().ok()) else { return };
    let model = shared.models.at_hand(&path);
    let may_measure =
        watched && measured(shared, session).is_some_and(|what| shared.models.can_be_measured(&path, what));
    if watched {
        let steps = model.as_ref().map(|model| model.stepper_for(preferences.precision).to_string());
        // While another model is being opened, the words on the one before may stay.
        if steps.as_deref() != snapshot.stepper.as_deref() && (steps.is_some() || !may_measure) {
            session.post(|snapshot| snapshot.stepper = steps.map(Into::into));
        }
    }
    let known = model.as_ref().and_then(|model| {
        let work = workload(shared, session, model)?;
        model.known_forecast(&work).map(|forecast| forecast.as_secs_f32())
    });
    if known != snapshot.forecast_seconds {
        session.post(|snapshot| snapshot.forecast_seconds = known);
    }
    if known.is_none() && may_measure {
        shared.measure(session);
    }
}

/// What would be measured of a model for the session's present settings.
pub(super) fn measured(shared: &Shared, session: &Session) -> Option<Measured> {
    Some((session.settings()?.takes, shared.preferences(Some(session)).precision))
}

/// What a render with the session's present settings would be.
pub(super) fn workload(shared: &Shared, session: &Session, model: &Model) -> Option<Workload> {
    let settings = session.settings()?;
    let frames = (settings.seconds * f64::from(model.sample_rate_hz())) as u64;
    let heard = if settings.mode == Mode::Continue { model.manifest().receptive_field_frames } else { 0 };
    Some(Workload {
        seed_frames: heard,
        frames,
        takes: settings.takes,
        precision: shared.preferences(Some(session)).precision,
        workers: shared.workers(session),
    })
}

fn existing(path: PathBuf) -> Result<PathBuf, RenderError> {
    if path.is_file() { Ok(path) } else { Err(RenderError::NoFile(path)) }
}

/// Writes the alternative that plays, from the seed clip's first frame to the take's end.
fn export(session: &Session, path: &Path) -> Result<(), RenderError> {
    let take = lock(&session.bench).finished.as_ref().map(|finished| Arc::clone(&finished.take));
    let take = take.ok_or(RenderError::NothingToExport)?;
    let chosen = session.params().map_or(0, |params| params.variation());
    let rate_hz = session.link.host_rate_hz().unwrap_or(EXPORT_RATE_HZ);
    let play = lay_out(&take, rate_hz)?;
    let view = play.view(chosen, true).ok_or(RenderError::NothingToExport)?;
    let (left, right) = (0..view.frames() as i64)
        .filter_map(|frame| match view.frame(frame) {
            continuo_realtime::Frame::Ready([left, right]) => Some((left, right)),
            _ => None,
        })
        .unzip();
    write_wav(path, &Clip { sample_rate_hz: rate_hz, channels: vec![left, right] }, WavFormat::I24)?;
    session.post(|snapshot| snapshot.notice = Some(format!("Exported to {}.", path.display()).into()));
    Ok(())
}
