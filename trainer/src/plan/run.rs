//! Running a plan.

use std::path::{Path, PathBuf};

use continuo_package::Package;

use super::file::{Action, Plan, PlanFault, Stage};
use crate::cli::{CodesArgs, ExportArgs, PlanArgs, ResumeArgs, TrainArgs, WorkersArgs};
use crate::codes::dataset::Origin;
use crate::codes::{self, CodesError};
use crate::data::dataset::Dataset;
use crate::export::{self, ExportError};
use crate::family::FAMILIES;
use crate::train;
use crate::training::checkpoint::Checkpoint;
use crate::training::run::{Run, RunError};
use crate::training::trainer::End;

/// Why a plan stopped.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The plan.
    #[error(transparent)]
    Plan(#[from] PlanFault),
    /// The stage that was asked for.
    #[error("{}: has no stage {stage:?}; its stages are: {there}", file.display())]
    NoStage {
        /// The plan.
        file: PathBuf,
        /// What was asked for.
        stage: String,
        /// What there is.
        there: String,
    },
    /// A stage that trains.
    #[error("stage {stage:?}: {source}")]
    Run {
        /// Its name.
        stage: String,
        /// Why.
        source: RunError,
    },
    /// A stage that makes codes.
    #[error("stage {stage:?}: {source}")]
    Codes {
        /// Its name.
        stage: String,
        /// Why.
        source: CodesError,
    },
    /// A stage that exports.
    #[error("stage {stage:?}: {source}")]
    Export {
        /// Its name.
        stage: String,
        /// Why.
        source: Box<ExportError>,
    },
}

/// `plan PLAN.toml --data DATASET --out FOLDER`. Gives back how the last training that was done ended.
///
/// # Errors
/// [`PlanError`]; what was finished until then stays.
pub fn run(args: &PlanArgs) -> Result<End, PlanError> {
    let plan = Plan::read(&args.plan)?;
    let chosen: Vec<&Stage> = match &args.stage {
        None => plan.stages.iter().collect(),
        Some(name) => {
            let missing = || {
                let there = plan.stages.iter().map(|stage| stage.name.as_str()).collect::<Vec<_>>().join(", ");
                PlanError::NoStage { file: args.plan.clone(), stage: name.clone(), there }
            };
            vec![plan.stage(name).ok_or_else(missing)?]
        }
    };
    for (at, stage) in chosen.iter().enumerate() {
        println!("stage {} of {}: {}", at + 1, chosen.len(), stage.name);
        let end = match &stage.action {
            Action::Train { config, data } => trained(args, stage, config, data.as_deref())
                .map_err(|source| PlanError::Run { stage: stage.name.clone(), source })?,
            Action::Codes { run } => {
                encoded(args, stage, run).map_err(|source| PlanError::Codes { stage: stage.name.clone(), source })?;
                End::Finished
            }
            Action::Export { .. } => {
                exported(args, stage)
                    .map_err(|source| PlanError::Export { stage: stage.name.clone(), source: Box::new(source) })?;
                End::Finished
            }
        };
        if end != End::Finished {
            return Ok(end);
        }
    }
    Ok(End::Finished)
}

fn place(args: &PlanArgs, name: &str) -> PathBuf {
    args.out.join(name)
}

/// The step and number of steps of a run that is there; `None` where none has a checkpoint.
fn standing(dir: &Path) -> Result<Option<(u64, u64, String)>, RunError> {
    if !crate::training::checkpoint::any(&dir.join("checkpoints")).unwrap_or(false) {
        return Ok(None);
    }
    let run = Run::open(dir, FAMILIES)?;
    let (checkpoint, _) = Checkpoint::newest(&run.checkpoints())?;
    Ok(Some((checkpoint.progress.step, run.config.plan().steps, run.file.run_id.clone())))
}

/// Begins a run, goes on with it, or finds it finished.
fn trained(args: &PlanArgs, stage: &Stage, config: &Path, data: Option<&str>) -> Result<End, RunError> {
    let out = place(args, &stage.name);
    let data = data.map_or_else(|| args.data.clone(), |stage| place(args, stage));
    match standing(&out)? {
        Some((step, steps, _)) if step >= steps => {
            println!("{}: {step} steps, finished", out.display());
            Ok(End::Finished)
        }
        Some(_) => train::resume(&ResumeArgs {
            run: out,
            data: Some(data),
            device: args.device,
            steps: None,
            minutes: None,
            plain: args.plain,
            workers: WorkersArgs::default(),
        }),
        None => train::run(&TrainArgs {
            config: config.to_path_buf(),
            data,
            out,
            init: None,
            device: args.device,
            steps: None,
            minutes: None,
            force: false,
            plain: args.plain,
            workers: WorkersArgs::default(),
        }),
    }
}

/// Makes codes, unless those of the run as it stands are there.
fn encoded(args: &PlanArgs, stage: &Stage, run: &str) -> Result<(), CodesError> {
    let (out, run) = (place(args, &stage.name), place(args, run));
    let made = Dataset::open(&out).ok().and_then(|dataset| Origin::of(&dataset).ok().flatten());
    let stands = standing(&run)?;
    if let (Some(origin), Some((step, _, run_id))) = (&made, &stands)
        && (origin.steps, &origin.run_id) == (*step, run_id)
    {
        println!("{}: finished", out.display());
        return Ok(());
    }
    // Codes of an earlier step are of another encoder.
    codes::run(&CodesArgs { run, out, data: None, device: args.device, force: made.is_some() }).map(drop)
}

/// Writes a package, unless that of the runs is there.
fn exported(args: &PlanArgs, stage: &Stage) -> Result<(), ExportError> {
    let Action::Export { run, with, author, licence } = &stage.action else { return Ok(()) };
    let (out, run) = (place(args, &format!("{}.continuo", stage.name)), place(args, run));
    let stands = standing(&run)?;
    let made =
        Package::open(&out).ok().map(|package| (package.manifest.run_id.clone(), package.manifest.training.steps));
    if let (Some((run_id, steps)), Some((step, _, of_run))) = (&made, &stands)
        && (run_id, steps) == (of_run, step)
    {
        println!("{}: finished", out.display());
        return Ok(());
    }
    let arguments = ExportArgs {
        run,
        out,
        with: with.iter().map(|part| place(args, part)).collect(),
        name: None,
        author: author.clone(),
        licence: licence.clone(),
        licence_file: None,
        runtime: args.runtime.clone(),
        data: Some(args.data.clone()),
        temperature: None,
        top_k: None,
    };
    export::run(&arguments).map(drop)
}
