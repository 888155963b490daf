//! `prepare`: a folder of recordings becomes a dataset.
//!
//! Two passes over the files on all cores: their hashes (which tell duplicates and the split), then decode → mix →
//! resample → i16. Each recording goes through a file of its own and from there, in the order of names, into the frames
//! file, so that the dataset is the same whatever the number of threads, and memory holds a few blocks per thread,
//! however long the recordings are.
//!
//! One bad file never stops it: every skip is named with its reason in the summary and in `skipped.json`.

mod error;
mod import;
pub(crate) mod levels;
pub(crate) mod parallel;
pub(crate) mod partial;
mod progress;
pub(crate) mod read;
mod report;
mod run;
pub(crate) mod scan;
mod skipped;
mod split;
mod summary;
pub(crate) mod tally;
pub(crate) mod trim;
pub(crate) mod unique;
pub(crate) mod words;

pub use error::PrepareError;
pub use progress::Progress;
pub use report::summary_text;
pub use run::{PrepareOptions, prepare};
pub use skipped::{SkipKind, Skipped};
pub use summary::Summary;

/// The subcommand: imports, shows progress, prints the summary.
///
/// # Errors
/// [`PrepareError`]; whatever was skipped has been printed.
pub fn command(args: &crate::cli::PrepareArgs) -> Result<(), PrepareError> {
    static STOP: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
    crate::training::stop::raise(&STOP);
    let options = PrepareOptions {
        folder: args.folder.clone(),
        out: args.out.clone(),
        rate_hz: args.rate,
        channels: args.channels,
        holdout: args.holdout,
        trim_silence_dbfs: args.trim_silence,
        force: args.force,
        jobs: args.jobs,
    };
    match prepare(&options, &STOP, &Progress::visible) {
        Ok(summary) => {
            print!("{}", summary_text(&summary));
            // The dataset lies there, whole; if it cannot be read again, `train` will say why.
            if let Ok(dataset) = crate::data::dataset::Dataset::open(&summary.out) {
                let warnings = crate::audit::brief(&dataset, None).into_iter().skip(2);
                warnings.for_each(|line| println!("{}", crate::names::printable(&line)));
            }
            println!("`continuo-trainer audit {}` tells more", crate::names::printable(&args.folder.to_string_lossy()));
            Ok(())
        }
        Err(error) => {
            if let PrepareError::NothingImported { skipped, .. } = &error {
                print!("{}", report::skipped_text(skipped));
            }
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests;
