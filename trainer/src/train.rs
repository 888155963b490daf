//! `train` and `resume`.

use std::time::Duration;

use crate::cli::{ResumeArgs, TrainArgs};
use crate::config::Config;
use crate::dataset::Dataset;
use crate::device;
use crate::training::checkpoint::Checkpoint;
use crate::training::initial;
use crate::training::run::{Run, RunError};
use crate::training::session::{End, Limits, Session, table};
use crate::training::stop;

/// `train CONFIG.toml --data DATASET --out RUN`.
///
/// # Errors
/// [`RunError`].
pub fn run(args: &TrainArgs) -> Result<End, RunError> {
    let mut config = Config::read(&args.config)?;
    if let Some(steps) = args.steps {
        config.training.steps = steps.max(1);
    }
    let dataset = Dataset::open(&args.data)?;
    let table = std::sync::Arc::new(crate::wavenet::parameters::Table::new(&config.model.shape()));
    let mut compute = device::open(args.device, &table, config.training.threads)?;
    // Read before a folder is made for the run: a package that does not fit leaves nothing behind.
    let initial = args.init.as_deref().map(|file| initial::read(file, &config)).transpose()?;
    let mut run = Run::create(&args.out, config, &dataset, args.force)?;
    stop::listen();
    let mut session = match initial {
        None => Session::begin(&run, &dataset, compute.as_mut())?,
        Some((parameters, model)) => {
            run.file.initial_model = Some(model);
            run.save()?;
            Session::begin_with(&run, &dataset, compute.as_mut(), parameters)?
        }
    };
    session.train(limits(args.minutes))
}

/// `resume RUN`.
///
/// # Errors
/// [`RunError`].
pub fn resume(args: &ResumeArgs) -> Result<End, RunError> {
    let mut run = Run::open(&args.run)?;
    let dataset = run.dataset(args.data.as_deref())?;
    if let Some(steps) = args.steps {
        run.config.training.steps = steps.max(1);
        run.save()?;
    }
    let table = table(&run);
    let mut compute = device::open(args.device, &table, run.config.training.threads)?;
    let (checkpoint, refused) = Checkpoint::newest(&run.checkpoints(), table.len)?;
    for reason in refused {
        eprintln!("{reason}; going on from the one before");
    }
    stop::listen();
    Session::resume(&run, &dataset, compute.as_mut(), checkpoint)?.train(limits(args.minutes))
}

fn limits(minutes: Option<f64>) -> Limits {
    Limits { time: minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0)), ..Limits::default() }
}
