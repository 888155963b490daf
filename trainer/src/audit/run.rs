//! The subcommand: reads, measures, prints, writes the reports.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use continuo_package::files;
use serde::Serialize;

use super::brief::brief;
use super::error::AuditError;
use super::facts::{Facts, Needs};
use super::findings::{Finding, find, verdict};
use super::forecast::{forecast, plan};
use super::survey::{AuditOptions, survey};
use super::{html, terminal};
use crate::cli::AuditArgs;
use crate::config::{self, Configuration};
use crate::data::dataset::{Dataset, FRAMES_FILE, INDEX_FILE};
use crate::device::Device;
use crate::family::FAMILIES;
use crate::names::printable_lines;
use crate::prepare::Progress;
use crate::training::run::RunError;

/// What `--json` holds.
#[derive(Serialize)]
struct Report<'a> {
    verdict: String,
    findings: &'a [Finding],
    #[serde(flatten)]
    facts: &'a Facts,
}

/// `audit FOLDER`.
///
/// # Errors
/// [`AuditError`]. What is wrong with recordings is no error but a finding.
pub fn run(args: &AuditArgs) -> Result<(), AuditError> {
    static STOP: AtomicBool = AtomicBool::new(false);
    crate::training::stop::raise(&STOP);
    // What is wrong with the configuration or the device is said before an hour of reading.
    let config = args.config.as_deref().map(|file| config::read(file, FAMILIES).map_err(RunError::from)).transpose()?;
    let device = config.as_ref().map(|_| Device::find(args.device).map_err(RunError::from)).transpose()?;
    let options = options(args, config.as_deref())?;
    let trained = match (&args.config, config.as_deref(), &device) {
        (Some(file), Some(config), Some(device)) => {
            let needs = Needs::new(file.clone(), &plan(config, device)?, config.plan().steps);
            Some((config, device, needs))
        }
        _ => None,
    };
    if args.folder.join(INDEX_FILE).is_file() && args.folder.join(FRAMES_FILE).is_file() {
        let dataset = Dataset::open(&args.folder).map_err(RunError::from)?;
        println!("this is a dataset; its index tells the following, and an audit of the recordings tells more");
        let plan = trained.as_ref().map(|(config, device, _)| plan(*config, device)).transpose()?;
        for line in brief(&dataset, plan.as_ref()) {
            println!("{}", printable_lines(&line));
        }
        return Ok(());
    }
    let mut facts = survey(&options, &STOP, &Progress::visible)?;
    if let Some((config, device, needs)) = trained {
        let file = needs.config.clone();
        facts.forecast = Some(forecast(&file, config, device, &facts, &needs, &|| STOP.load(Ordering::Relaxed))?);
        facts.needs = Some(needs);
    }
    let findings = find(&facts);
    print!("{}", terminal::text(&facts, &findings));
    if let Some(file) = &args.json {
        let report = Report { verdict: verdict(&findings), findings: &findings, facts: &facts };
        let json = serde_json::to_vec_pretty(&report).map_err(std::io::Error::from);
        json.and_then(|json| files::replace_with(file, json)).map_err(io(file))?;
    }
    if let Some(file) = &args.html {
        files::replace_with(file, html::page(&facts, &findings)).map_err(io(file))?;
    }
    Ok(())
}

fn io(file: &Path) -> impl FnOnce(std::io::Error) -> AuditError {
    move |source| AuditError::Io { file: file.to_path_buf(), source }
}

/// Rate and channels are the configuration's, if there is one.
fn options(args: &AuditArgs, config: Option<&dyn Configuration>) -> Result<AuditOptions, AuditError> {
    let (rate_hz, channels) = (config.map(Configuration::sample_rate_hz), config.map(Configuration::channels));
    if let (Some(file), Some(wanted), Some(asked)) = (&args.config, rate_hz, args.rate)
        && wanted != asked
    {
        return Err(AuditError::Contradiction {
            config: file.clone(),
            wanted: format!("{wanted} Hz"),
            asked: format!("--rate {asked}"),
        });
    }
    if let (Some(file), Some(wanted), Some(asked)) = (&args.config, channels, args.channels)
        && wanted != asked
    {
        return Err(AuditError::Contradiction {
            config: file.clone(),
            wanted: format!("{wanted} channels"),
            asked: format!("--channels {asked}"),
        });
    }
    Ok(AuditOptions {
        folder: args.folder.clone(),
        rate_hz: rate_hz.or(args.rate).unwrap_or(16_000),
        channels: channels.or(args.channels).unwrap_or(1),
        holdout: args.holdout,
        trim_silence_dbfs: args.trim_silence,
        jobs: args.jobs,
    })
}
