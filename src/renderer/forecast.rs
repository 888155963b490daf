//! How long a render would take, told before it is asked for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use continuo_engine::{EngineError, Model, Setting, Workload};

use super::errands;
use super::models::Measured;
use super::shared::Shared;
use crate::resources;
use crate::session::Session;
use crate::settings::Mode;
use crate::take::MAX_SEED_SECONDS;

/// Says how long a render would take, and has it measured if that is not known and somebody is looking.
pub(super) fn tell(shared: &Shared, session: &Arc<Session>) {
    let watched = session.is_watched();
    if shared.models.is_empty() && !watched {
        return;
    }
    if let Some(choice) = watched.then(|| session.wants_card()).flatten()
        && let Err(error) = errands::describe(session, choice, false)
    {
        tracing::warn!("what the model can do is not known: {error}");
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
        let steps = model.as_ref().map(|model| model.model.backend(preferences.precision).to_string());
        // While another model is being opened, the words on the one before may stay.
        if steps.as_deref() != snapshot.stepper.as_deref() && (steps.is_some() || !may_measure) {
            session.post(|snapshot| snapshot.stepper = steps.map(Into::into));
        }
    }
    let known = model.as_ref().and_then(|model| {
        let work = workload(shared, session, &model.model)?;
        model.forecasts.known(&work).map(|forecast| forecast.as_secs_f32())
    });
    if known != snapshot.forecast_seconds {
        session.post(|snapshot| snapshot.forecast_seconds = known);
    }
    if let Some(seconds) = known.filter(|_| watched)
        && let Some(settings) = session.settings()
    {
        tell_speed(session, &path, settings.seconds as f32 / seconds.max(1e-6));
    }
    let wonders = || watched && curious(shared, session).is_some();
    if (known.is_none() && may_measure) || wonders() {
        shared.measure(session);
    }
}

/// Says how fast a model is here, if that is news.
fn tell_speed(session: &Session, path: &Path, speed: f32) {
    let speeds = session.snapshot().speeds;
    let before = speeds.iter().find(|(known, _)| known == path).map(|(_, before)| *before);
    if before.is_some_and(|before| (before - speed).abs() <= 0.02 * before) {
        return;
    }
    let others = speeds.iter().filter(|(known, _)| known != path).cloned();
    let speeds = others.chain([(path.to_path_buf(), speed)]).collect();
    session.post(|snapshot| snapshot.speeds = speeds);
}

/// Opens the model of a session in whose editor somebody is looking, and measures what the forecast of its next render
/// needs. Gives way to renders. Where a model cannot be opened or does not run, the same is not tried again.
pub(super) fn measure(shared: &Shared, session: &Session) {
    let snapshot = session.snapshot();
    let Some(chosen) = snapshot.model.path.or_else(|| resources::default_model().ok()) else { return };
    let Some(what) = measured(shared, session) else { return };
    // The chosen one comes first.
    let first = snapshot.forecast_seconds.is_none() && shared.models.can_be_measured(&chosen, what);
    let path = curious(shared, session).filter(|_| !first).unwrap_or(chosen);
    // Until the end is known to be good, as a fault must not come back four times a second.
    shared.models.measuring(&path, what, true);
    let Ok(model) = shared.models.load(&path, shared.watched()) else { return };
    session.know_model(&path, model.model.content_hash());
    // Without settings the instance is going, and the model is none the worse for it.
    let outcome = workload(shared, session, &model.model).map(|work| model.forecasts.forecast(&work, &shared.give_way));
    if matches!(outcome, None | Some(Ok(_) | Err(EngineError::Cancelled))) {
        shared.models.measuring(&path, what, false);
    }
    if let (Some(Ok(forecast)), Some(settings)) = (outcome, session.settings()) {
        tell_speed(session, &path, settings.seconds as f32 / forecast.as_secs_f32().max(1e-6));
    }
}

/// The model whose speed an open editor would like to show next.
fn curious(shared: &Shared, session: &Session) -> Option<PathBuf> {
    let what = measured(shared, session)?;
    session.curious(|path| shared.models.can_be_measured(path, what))
}

/// What would be measured of a model for the session's present settings.
fn measured(shared: &Shared, session: &Session) -> Option<Measured> {
    Some((session.settings()?.variations, shared.preferences(Some(session)).precision))
}

/// What a render with the session's present settings would be.
fn workload(shared: &Shared, session: &Session, model: &Model) -> Option<Workload> {
    let settings = session.settings()?;
    let asked = (settings.seconds * f64::from(model.sample_rate_hz())) as u64;
    let frames = model.abilities().fixed_frames.unwrap_or(asked);
    // The seed clip is not read for a forecast: it is taken to be as long as it can be.
    let longest = (MAX_SEED_SECONDS * f64::from(model.sample_rate_hz())) as u64;
    let heard = if settings.mode == Mode::Continue { model.manifest().reach.heard(longest) } else { 0 };
    Some(Workload {
        seed_frames: heard,
        frames,
        variations: if model.abilities().why_not(Setting::Variations).is_none() { settings.variations } else { 1 },
        precision: shared.preferences(Some(session)).precision,
        workers: shared.workers(session),
    })
}
