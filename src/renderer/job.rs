//! The worker thread: one request after the other, or a part of one where others wait.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use continuo_engine::audio::{Clip, DamagedClip, MAX_LEVEL};
use continuo_engine::{EngineError, RenderBlock, RenderRequest, Sampling, Setting};

use super::error::RenderError;
use super::making::{Making, Material, Progress};
use super::shared::{Job, Request, Shared, conclude};
use super::{forecast, priority};
use crate::resources;
use crate::session::{Concern, Session, Snapshot, Status, Ticket, lock, read_seed, seed_words};
use crate::settings::{Mode, SeedSource, Settings};
use crate::take::Recipe;
use crate::take::bench::{BenchError, LiveTake};

/// Longest render.
const MAX_SECONDS: f64 = 600.0;
/// How often progress is told.
const TELL: Duration = Duration::from_millis(100);

pub(super) fn start(shared: Arc<Shared>) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("continuo-render".to_owned()).spawn(move || run(&shared))
}

fn run(shared: &Arc<Shared>) {
    let own = shared.preferences(None).priority;
    priority::set(own);
    while let Some(job) = shared.next_job(own) {
        match job {
            Job::Render(request) => serve(shared, request),
            Job::Measure(session) => {
                let Some(session) = session.upgrade() else { continue };
                // A fault here costs a forecast. It will be told when it costs a render.
                let _ = catch_unwind(AssertUnwindSafe(|| forecast::measure(shared, &session)));
            }
        }
    }
}

/// Ends a request when it is dropped: a host, an offline one above all, waits for an end, so there must be one whatever
/// has a fault.
struct Ending<'a> {
    session: &'a Session,
    ticket: &'a Arc<Ticket>,
    status: Status,
    /// The request has not ended: it waits for its next turn.
    goes_on: bool,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if !self.goes_on {
            conclude(self.session, self.ticket, self.status);
        }
    }
}

/// Does the next of what a request asks for; what is left of it goes back into the queue.
pub(super) fn serve(shared: &Shared, mut request: Request) {
    let Some(session) = request.session.upgrade() else { return };
    let ticket = Arc::clone(&request.ticket);
    let mut ending = Ending { session: &session, ticket: &ticket, status: Status::Failed, goes_on: false };
    let outcome = catch_unwind(AssertUnwindSafe(|| render(shared, &session, &mut request)));
    match outcome.unwrap_or(Err(RenderError::Fault)) {
        Ok(Pass::Last { worked }) => ending.status = Status::Finished { seconds: worked.as_secs_f32() },
        Ok(Pass::First) => {
            ending.goes_on = true;
            shared.queue_again(&session, request);
            return;
        }
        Err(RenderError::Cancelled) => ending.status = Status::Cancelled,
        Err(RenderError::NoModel(path)) => session.miss_model(&path),
        Err(error) => session.complain_of(error.concern(), &error),
    }
    // Whatever was not finished goes before the request ends, so that an offline host sees the take before it again.
    let _ = catch_unwind(AssertUnwindSafe(|| session.give_up_live(ticket.id)));
}

/// What came of serving a request.
enum Pass {
    /// A variation is whole, and others are left to make.
    First,
    /// The take is whole, and was worked on for so long.
    Last { worked: Duration },
}

fn render(shared: &Shared, session: &Session, request: &mut Request) -> Result<Pass, RenderError> {
    let started = Instant::now();
    let ticket = Arc::clone(&request.ticket);
    stop_if_cancelled(&ticket)?;
    let (mut making, resumed) = match request.making.take() {
        Some(making) => (making, true),
        None => (Box::new(prepare(shared, session, request)?), false),
    };
    stop_if_cancelled(&ticket)?;
    let others_wait = shared.others_wait();
    let variations = making.next_pass(others_wait);
    let Making { material, progress, .. } = &mut *making;
    let (model, forecasts) = (&material.loaded.model, &material.loaded.forecasts);
    let (seed, recipe) = (&material.seed, &material.recipe);

    let seed_frames = seed.as_ref().map_or(0, |clip| (clip.seconds() * f64::from(recipe.model_rate_hz)) as u64);
    let work = RenderRequest {
        seed: seed.as_deref().cloned(),
        frames: recipe.frames,
        sampling: material.sampling,
        class: material.class,
        variations: variations.clone(),
        precision: Some(material.precision),
        workers: shared.workers(session),
    };
    let workload = work.workload(seed_frames);
    let forecast = match forecasts.forecast(&workload, &ticket.cancel) {
        Err(EngineError::Cancelled) => return Err(RenderError::Cancelled),
        // What is wrong with the model will show in the render itself.
        other => other.unwrap_or_default(),
    };
    progress.resume(forecast);
    let ready = if resumed { made_frames(session, &ticket)? } else { 0 };
    session.post(|snapshot| {
        snapshot.stepper = Some(model.backend(Some(material.precision)).to_string().into());
        snapshot.status = progress.status(ready);
    });
    if !resumed {
        begin(session, &ticket, recipe, seed.as_ref())?;
    }

    let mut failure = None;
    let mut sink = |block: RenderBlock<'_>| {
        if let Err(error) = accept(session, &ticket, progress, variations.start, &block) {
            // The engine stops at the next frame.
            failure.get_or_insert(error);
            ticket.stop();
        }
    };
    let summary = continuo_engine::render(model, &work, &ticket.cancel, &mut sink);
    if let Some(error) = failure {
        return Err(error.into());
    }
    let summary = match summary {
        Err(EngineError::Cancelled) => return Err(RenderError::Cancelled),
        other => other?,
    };
    stop_if_cancelled(&ticket)?;
    forecasts.learn(&workload, summary.generate_seconds);
    tracing::debug!("rendered {} takes at {:.2}× real time", summary.variations, summary.real_time_factor);
    making.bits.extend(summary.bits_per_symbol.iter().map(|bits| *bits as f32));
    making.made = variations.end;
    making.worked += started.elapsed();
    if !making.is_whole() {
        request.making = Some(making);
        return Ok(Pass::First);
    }
    let worked = making.worked;
    session.keep(&ticket, making.bits)?;
    Ok(Pass::Last { worked })
}

/// Finds and reads what a new take is made of.
fn prepare(shared: &Shared, session: &Session, request: &Request) -> Result<Making, RenderError> {
    if session.shelf_is_full() {
        return Err(RenderError::ShelfFull);
    }
    session.post(|snapshot| snapshot.status = Status::Loading);
    let material = gather(shared, session, &request.settings)?;
    let progress = Progress::new(&material.recipe, material.seed.as_deref(), Duration::ZERO);
    Ok(Making { material, progress, made: 0, bits: Vec::new(), worked: Duration::ZERO })
}

/// Frames that a take has which was begun before.
fn made_frames(session: &Session, ticket: &Ticket) -> Result<u64, RenderError> {
    let bench = lock(&session.bench);
    // A session that was opened meanwhile has none of it.
    let live = bench.live.as_ref().filter(|live| live.ticket == ticket.id).ok_or(RenderError::Cancelled)?;
    Ok(live.made_frames())
}

/// Finds the model and the seed clip and fixes the recipe.
fn gather(shared: &Shared, session: &Session, settings: &Settings) -> Result<Material, RenderError> {
    if settings.seconds > MAX_SECONDS {
        return Err(RenderError::TooLong { seconds: settings.seconds, limit: MAX_SECONDS });
    }
    let path = match session.snapshot().model.path {
        Some(path) => path,
        None => resources::default_model()?,
    };
    let loaded = shared.models.load(&path, shared.watched())?;
    let model = &loaded.model;
    session.know_model(&path, model.content_hash());
    let (manifest, abilities) = (model.manifest(), model.abilities());
    let (seed_name, seed) = match settings.mode {
        Mode::Unconditional => (None, None),
        Mode::Continue => {
            let (name, clip) = seed_clip(session, settings.seed_source)?;
            (Some(name), Some(Arc::new(clip)))
        }
    };
    let model_rate_hz = model.sample_rate_hz();
    let heeds = |setting| abilities.why_not(setting).is_none();
    let sampling = Sampling {
        temperature: settings.temperature,
        top_k: settings.top_k,
        code_temperature: settings.code_temperature,
        code_top_k: settings.code_top_k,
        rng_seed: settings.rng_seed,
    };
    let precision = model.backend(shared.preferences(Some(session)).precision).precision();
    let mut recipe = Recipe {
        model_name: manifest.name.clone(),
        model_file: path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        model_sha256: model.content_hash().to_owned(),
        model_licence: manifest.licence.clone(),
        model_rate_hz,
        channels: abilities.channels,
        variations: if heeds(Setting::Variations) { settings.variations } else { 1 },
        frames: abilities
            .fixed_frames
            .unwrap_or_else(|| ((settings.seconds * f64::from(model_rate_hz)).round() as u64).max(1)),
        signal: Some(manifest.signal),
        seed_name,
        rng_seed: settings.rng_seed,
        tempo: Some(settings.tempo).filter(|tempo| tempo.is_finite()),
        engine_version: continuo_engine::VERSION.to_owned(),
        ..Recipe::default()
    };
    if heeds(Setting::Temperature) {
        recipe.set("temperature", &settings.temperature);
    }
    if settings.top_k > 0 && heeds(Setting::TopK) {
        recipe.set("top_k", &settings.top_k);
    }
    if heeds(Setting::CodeTemperature) {
        recipe.set("code_temperature", &settings.code_temperature);
    }
    if settings.code_top_k > 0 && heeds(Setting::CodeTopK) {
        recipe.set("code_top_k", &settings.code_top_k);
    }
    let last = (abilities.classes.len() as u32).saturating_sub(1);
    let class = settings.class.min(last);
    if let Some(name) = abilities.classes.get(class as usize) {
        recipe.set("class", name);
    }
    recipe.set("precision", &precision);
    Ok(Material { loaded, seed, recipe, sampling, class, precision })
}

fn seed_clip(session: &Session, source: SeedSource) -> Result<(String, Clip), RenderError> {
    let (name, clip) = match source {
        SeedSource::Clip => {
            let Snapshot { seed, seed_trim, .. } = session.snapshot();
            let path = match seed.path {
                Some(path) if path.is_file() => path,
                Some(path) => return Err(RenderError::NoSeed(path)),
                None => resources::default_seed()?,
            };
            let seed = read_seed(&path, seed_trim)?;
            if !seed.losses.is_empty() {
                session.complain_of(Concern::Seed, &DamagedClip { path: path.clone(), losses: seed.losses.clone() });
            }
            (seed_words(&file_name(&path), &seed), seed.clip)
        }
        SeedSource::Sidechain => ("the sidechain".to_owned(), captured(session)?),
    };
    if clip.seconds() < 0.01 {
        return Err(RenderError::ShortSeed(name));
    }
    Ok((name, clip))
}

/// What was captured from the sidechain.
pub(super) fn captured(session: &Session) -> Result<Clip, RenderError> {
    let ring = session.link.captured().filter(|ring| ring.frames() > 0).ok_or(RenderError::NothingCaptured)?;
    let clip = Clip { sample_rate_hz: ring.rate_hz, channels: ring.read().into_iter().collect() };
    check_captured(&clip)?;
    Ok(clip)
}

/// What a track sends may be anything. It is checked as files are: one number that is none would be in the take for good.
fn check_captured(clip: &Clip) -> Result<(), RenderError> {
    // A NaN is below nothing.
    let is_audio = |value: f32| value.abs() <= MAX_LEVEL;
    let at =
        |channel: &Vec<f32>| channel.iter().position(|&value| !is_audio(value)).map(|frame| (frame, channel[frame]));
    let Some((frame, value)) = clip.channels.iter().filter_map(at).min_by_key(|(frame, _)| *frame) else {
        return Ok(());
    };
    let what = if value.is_finite() {
        format!("reaches {value}, where 1 is full scale")
    } else {
        "is not a number".to_owned()
    };
    Err(RenderError::CapturedNoise { at_seconds: frame as f64 / f64::from(clip.sample_rate_hz), what })
}

fn file_name(path: &std::path::Path) -> String {
    path.file_name()
        .map_or_else(|| PathBuf::from(path).display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// Puts the growing take on the bench and gives it to `process()`, all silence as yet.
fn begin(session: &Session, ticket: &Ticket, recipe: &Recipe, seed: Option<&Arc<Clip>>) -> Result<(), RenderError> {
    let mut live = LiveTake::new(ticket.id, recipe.clone(), seed.cloned(), session.link.host_rate_hz())?;
    loop {
        // A take's buffers can be a gigabyte: the host's main thread, which takes this lock too, does not wait for them.
        let mut bench = lock(&session.bench);
        stop_if_cancelled(ticket)?;
        // Under the lock, the host's rate cannot change between here and the take's appearance on the bench.
        let rate_hz = session.link.host_rate_hz();
        if live.play().map(|play| play.rate_hz) == rate_hz {
            if let Some(play) = live.play() {
                session.link.publish(Arc::clone(play));
            }
            bench.live = Some(live);
            bench.looks_away = false;
            session.post_takes(&bench);
            return Ok(());
        }
        drop(bench);
        if let Some(rate_hz) = rate_hz {
            live.set_rate(rate_hz)?;
        }
    }
}

/// Takes in what the engine has generated.
fn accept(
    session: &Session,
    ticket: &Ticket,
    progress: &mut Progress,
    first_variation: u32,
    block: &RenderBlock<'_>,
) -> Result<(), BenchError> {
    let mut bench = lock(&session.bench);
    let Some(live) = bench.live.as_mut().filter(|live| live.ticket == ticket.id) else {
        ticket.stop();
        return Ok(());
    };
    for (index, channels) in block.variations().enumerate() {
        live.push(first_variation as usize + index, channels)?;
    }
    if progress.told.elapsed() >= TELL {
        progress.told = Instant::now();
        let overview = Arc::new(progress.overview.update(live.frames()));
        let status = progress.status(live.made_frames());
        let shown = bench.shown_live().is_some();
        // Under the lock: who chooses another take meanwhile sees that one.
        session.post(|snapshot| {
            snapshot.status = status;
            if shown {
                snapshot.take = Some(overview);
            }
        });
    }
    Ok(())
}

fn stop_if_cancelled(ticket: &Ticket) -> Result<(), RenderError> {
    if ticket.is_cancelled() { Err(RenderError::Cancelled) } else { Ok(()) }
}
