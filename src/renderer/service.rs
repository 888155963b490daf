//! The service thread: listens to the sessions and does what does not take long. Whatever reads or writes files of the
//! user's is an errand with a thread of its own, so that no instance waits for another one's disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::error::RenderError;
use super::shared::Shared;
use super::{dragged, errands, export, forecast, from_take, job, listening, locate, patches, reveal};
use crate::session::{AudioCommand, BELL, Command, Concern, Deed, FileChoice, Session, Underway, lock};
use crate::settings::Settings;

/// How often `process()`'s wishes are looked at.
const POLL: Duration = Duration::from_millis(10);

/// How often open editors are told of what has moved.
const PULSE: Duration = Duration::from_millis(40);

/// How often forecasts are made anew.
const FORECAST: Duration = Duration::from_millis(250);

pub(super) fn start(shared: Arc<Shared>) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("continuo-service".to_owned()).spawn(move || run(&shared))
}

fn run(shared: &Arc<Shared>) {
    // The worker starts when there is something to do: a host that scans sees no more than a sleeping thread.
    let mut worker: Option<JoinHandle<()>> = None;
    let (mut forecast_at, mut felt_at) = (Instant::now(), Instant::now());
    while !shared.stopping() {
        BELL.wait(POLL);
        let sessions: Vec<Arc<Session>> = lock(&shared.sessions).iter().filter_map(std::sync::Weak::upgrade).collect();
        for session in &sessions {
            guarded(session, || listen(shared, session));
        }
        shared.tend_queue();
        if felt_at.elapsed() >= PULSE {
            for session in &sessions {
                session.feel_pulse();
            }
            felt_at = Instant::now();
        }
        if forecast_at.elapsed() >= FORECAST {
            for session in &sessions {
                guarded(session, || {
                    session.settle_what_changed();
                    forecast::tell(shared, session);
                });
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

fn listen(shared: &Arc<Shared>, session: &Arc<Session>) {
    session.link.free_retired();
    session.link.tend_capture();
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
    while let Some((command, settings)) = session.take_command() {
        if let Err(error) = obey(shared, session, command, settings) {
            session.complain_of(error.concern(), &error);
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

fn obey(
    shared: &Arc<Shared>,
    session: &Arc<Session>,
    command: Command,
    settings: Option<Settings>,
) -> Result<(), RenderError> {
    match command {
        Command::ChooseModel(path) => errands::choose_model(shared, session, path)?,
        Command::LocateModel(path) => locate::locate(shared, session, path)?,
        Command::LeaveModel => session.post(|snapshot| snapshot.other_model = None),
        Command::ChooseSeed(path) => errands::choose_seed(session, path)?,
        Command::TrimSeed(trim) => session.trim_seed(trim),
        Command::FactoryModel => {
            session.note(Deed::ChooseModel);
            session.post(|snapshot| snapshot.model = FileChoice::factory_model());
            session.touch();
            errands::factory_model(shared, session)?;
        }
        Command::FactorySeed => {
            session.note(Deed::ChooseSeed);
            session.post(|snapshot| snapshot.seed = FileChoice::factory_seed());
            session.forget_trim_of_another();
            session.touch();
        }
        // `Session::send` has counted the request already.
        Command::Render => render(shared, session, settings),
        Command::Cancel => session.cancel_all(),
        Command::ChooseTake(id) => errands::with_takes(session, move |session| session.choose_take(id))?,
        Command::ShowLive => session.show_live(),
        Command::CompareTakes => errands::with_takes(session, Session::compare_takes)?,
        Command::Star { take, variation, on } => session.star(take, variation, on),
        Command::RenameTake(id, name) => session.rename_take(id, &name),
        Command::DeleteTake(id) => errands::with_takes(session, move |session| session.delete_take(id))?,
        Command::Arrange(what) => {
            let underway = Underway::counted(Arc::clone(session));
            if let Err(error) = session.arrange(what) {
                session.complain_of(Concern::Arrangement, &error);
                return Ok(());
            }
            errands::errand(session, "continuo-arrange", move |session| {
                let _underway = underway;
                session.show_arrangement();
                Ok(())
            })?;
        }
        Command::CropTake { variation, begin_seconds, end_seconds } => {
            errands::errand(session, "continuo-crop", move |session| {
                session.crop_take(variation, begin_seconds, end_seconds).map_err(RenderError::from)
            })?;
        }
        Command::Undo => errands::with_takes(session, |session| session.go(true))?,
        Command::Redo => errands::with_takes(session, |session| session.go(false))?,
        Command::SeedFromTake { variation, until_seconds, render } => {
            let settings = session.settings().filter(|_| render);
            from_take::seed_from_take(shared, session, variation, until_seconds, settings)?;
        }
        Command::Listen { sound, from_seconds } => listening::listen(session, sound, from_seconds)?,
        Command::StopListening => session.link.end_audition(),
        Command::ExportTake(path) => export::one(shared, session, path, false)?,
        Command::ExportOver(path) => export::one(shared, session, path, true)?,
        Command::ExportStarred(folder) => export::starred(shared, session, folder)?,
        Command::WriteOut { variation, parcel } => dragged::write_out(shared, session, variation, parcel)?,
        Command::Reveal(path) => reveal::reveal(session, path)?,
        Command::SetExport(options) => session.post(|snapshot| snapshot.export = options),
        Command::KeepFile => session.post(|snapshot| snapshot.overwrite = None),
        Command::InlineLimit(bytes) => {
            session.post(|snapshot| snapshot.inline_limit = bytes);
            errands::repack(session)?;
        }
        Command::LoadPatch(path) => patches::load(session, path)?,
        Command::SavePatch { name, over } => patches::save(session, name, over)?,
        Command::RenamePatch(path, name) => patches::rename(session, path, name)?,
        Command::DeletePatch(path) => patches::delete(session, path)?,
        Command::Prefer(preferences) => {
            shared.prefer(preferences);
            session.post(|snapshot| snapshot.preferences = Some(preferences));
            errands::note_preferences(shared, session)?;
        }
        Command::DismissError => session.post(|snapshot| snapshot.error = None),
    }
    Ok(())
}
