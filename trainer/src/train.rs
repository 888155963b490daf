//! `train` and `resume`.

use std::ffi::OsString;
use std::time::Duration;

use continuo_package::Package;

use crate::audit::brief;
use crate::cli::{ResumeArgs, TrainArgs};
use crate::config;
use crate::data::batches::BatchPlan;
use crate::data::dataset::Dataset;
use crate::device::Device;
use crate::family::FAMILIES;
use crate::names::printable;
use crate::training::checkpoint::{Checkpoint, Progress};
use crate::training::log::duration;
use crate::training::run::{Run, RunError};
use crate::training::stop::{self, Hangup};
use crate::training::trainer::{End, Limits, Trainer};
use crate::workers::Place;

/// `train CONFIG.toml --data DATASET --out RUN`.
///
/// # Errors
/// [`RunError`].
pub fn run(args: &TrainArgs) -> Result<End, RunError> {
    let mut config = config::read(&args.config, FAMILIES)?;
    if let Some(steps) = args.steps {
        config.set_steps(steps.max(1));
    }
    let place = Place::of(&args.workers);
    let dataset = Dataset::open(&args.data)?;
    let device = Device::find(args.device)?;
    let mut task = config.task(&device).map_err(RunError::Task)?;
    place.shares(task.batches().sequences)?;
    // Read before a folder is made for the run: a package that does not fit leaves nothing behind.
    let initial = match &args.init {
        None => None,
        Some(file) => {
            let package = Package::open(file)?;
            let refuse = |reason| RunError::Initial { file: file.clone(), reason };
            task.start_from(&package).map_err(refuse)?;
            let (name, steps) = (&package.manifest.name, package.manifest.training.steps);
            Some(format!("{name} (package SHA-256 {}, {steps} steps)", package.content_hash))
        }
    };
    let mut run = Run::plan(&args.out, config, &dataset)?;
    run.file.initial_model = initial;
    // Nothing is written before it is known that training can begin.
    let plan = task.batches();
    let trainer = Trainer::begin(&run, &dataset, task)?.plain(args.plain);
    listen(place);
    let (peers, _children) = place.meet(&trainer.standing(place.workers)?, &device, &command(args))?;
    let mut trainer = trainer.join(peers)?;
    if !place.leads() {
        return trainer.train(Limits::default());
    }
    let lock = run.lock().and_then(|lock| run.establish(args.force).map(|()| lock));
    let _lock = trainer.or_tell(lock)?;
    tell(&dataset, &plan);
    // From the first moment on there is something to resume from.
    let first = trainer.checkpoint();
    trainer.or_tell(first)?;
    trainer.train(limits(args.minutes))
}

/// What the other workers of a training are to do.
fn command(args: &TrainArgs) -> Vec<OsString> {
    let mut command: Vec<OsString> = vec!["train".into(), args.config.clone().into()];
    command.extend(["--data".into(), args.data.clone().into(), "--out".into(), args.out.clone().into()]);
    command.extend(args.init.iter().flat_map(|file| ["--init".into(), file.clone().into()]));
    command.extend(args.steps.iter().flat_map(|steps| ["--steps".into(), steps.to_string().into()]));
    command
}

/// `resume RUN`.
///
/// # Errors
/// [`RunError`].
pub fn resume(args: &ResumeArgs) -> Result<End, RunError> {
    let place = Place::of(&args.workers);
    let mut run = Run::open(&args.run, FAMILIES)?;
    let _lock = if place.leads() { Some(run.lock()?) } else { None };
    let dataset = run.dataset(args.data.as_deref())?;
    run.file.place_data(dataset.dir(), &run.dir);
    if let Some(steps) = args.steps {
        run.config.set_steps(steps.max(1));
    }
    // A full disk keeps nobody from training: the next checkpoint holds both.
    if place.leads()
        && let Err(error) = run.save()
    {
        eprintln!("{error}; where the data is and how far to train is not noted yet");
    }
    let (checkpoint, refused) = Checkpoint::newest(&run.checkpoints())?;
    if place.leads() {
        for reason in &refused {
            eprintln!("{reason}");
        }
        if !refused.is_empty() {
            let Progress { step, wall_seconds, .. } = checkpoint.progress;
            eprintln!(
                "what was trained after step {step} ({} into the run) is lost and will be trained again",
                duration(wall_seconds)
            );
        }
    }
    let device = Device::find(args.device)?;
    let task = run.config.task(&device).map_err(RunError::Task)?;
    let plan = task.batches();
    place.shares(plan.sequences)?;
    let trainer = Trainer::resume(&run, &dataset, task, &checkpoint)?.plain(args.plain);
    listen(place);
    let mut command: Vec<OsString> = vec!["resume".into(), args.run.clone().into()];
    command.extend(["--data".into(), dataset.dir().into()]);
    command.extend(args.steps.iter().flat_map(|steps| ["--steps".into(), steps.to_string().into()]));
    let (peers, _children) = place.meet(&trainer.standing(place.workers)?, &device, &command)?;
    let mut trainer = trainer.join(peers)?;
    if !place.leads() {
        return trainer.train(Limits::default());
    }
    tell(&dataset, &plan);
    trainer.train(limits(args.minutes))
}

/// Ctrl-C reaches all workers of a terminal; one of them answers.
fn listen(place: Place<'_>) {
    if place.leads() {
        stop::listen(Hangup::GoesOn);
    } else {
        stop::listen_quietly();
    }
}

/// The audit in short. It reads the dataset and nothing else knows of it.
fn tell(dataset: &Dataset, plan: &BatchPlan) {
    for line in brief(dataset, Some(plan)) {
        println!("{}", printable(&line));
    }
}

fn limits(minutes: Option<f64>) -> Limits {
    Limits { time: minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0)), ..Limits::default() }
}
