//! `train` and `resume`.

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
use crate::training::stop;
use crate::training::trainer::{End, Limits, Trainer};

/// `train CONFIG.toml --data DATASET --out RUN`.
///
/// # Errors
/// [`RunError`].
pub fn run(args: &TrainArgs) -> Result<End, RunError> {
    let mut config = config::read(&args.config, FAMILIES)?;
    if let Some(steps) = args.steps {
        config.set_steps(steps.max(1));
    }
    let dataset = Dataset::open(&args.data)?;
    let mut task = config.task(&Device::find(args.device)?).map_err(RunError::Task)?;
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
    let mut trainer = Trainer::begin(&run, &dataset, task)?;
    let _lock = run.lock()?;
    run.establish(args.force)?;
    tell(&dataset, &plan);
    stop::listen();
    // From the first moment on there is something to resume from.
    trainer.checkpoint()?;
    trainer.train(limits(args.minutes))
}

/// `resume RUN`.
///
/// # Errors
/// [`RunError`].
pub fn resume(args: &ResumeArgs) -> Result<End, RunError> {
    let mut run = Run::open(&args.run, FAMILIES)?;
    let _lock = run.lock()?;
    let dataset = run.dataset(args.data.as_deref())?;
    run.file.place_data(dataset.dir(), &run.dir);
    if let Some(steps) = args.steps {
        run.config.set_steps(steps.max(1));
    }
    // A full disk keeps nobody from training: the next checkpoint holds both.
    if let Err(error) = run.save() {
        eprintln!("{error}; where the data is and how far to train is not noted yet");
    }
    let (checkpoint, refused) = Checkpoint::newest(&run.checkpoints())?;
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
    let task = run.config.task(&Device::find(args.device)?).map_err(RunError::Task)?;
    tell(&dataset, &task.batches());
    stop::listen();
    Trainer::resume(&run, &dataset, task, &checkpoint)?.train(limits(args.minutes))
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
