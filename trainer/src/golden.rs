//! `golden`: first weights, batches, and what training does with them, so that the same training in another program (PyTorch,
//! another version of this one) can be held against it number by number.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::PathBuf;

use continuo_package::files;
use serde::Serialize;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::cli::GoldenArgs;
use crate::config;
use crate::data::batches::{Batch, Batches, Values};
use crate::data::dataset::Dataset;
use crate::data::synthetic;
use crate::device::Device;
use crate::family::FAMILIES;
use crate::nn::Network;
use crate::task::TaskError;
use crate::training::run::RunError;

/// Seconds of synthetic music.
const SECONDS: f64 = 60.0;

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum GoldenError {
    /// Configuration, data or device.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A step.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The family has no gradient of its own to show.
    #[error("{}: this family trains several networks by turns and has no single gradient to be held against", config.display())]
    NoGradient {
        /// The configuration.
        config: PathBuf,
    },
    /// A file.
    #[error("{}: writing failed: {source}", file.display())]
    Io {
        /// Which.
        file: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// What training does from there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Golden {
    /// What computed it.
    pub device: String,
    /// Euclidean norm of the first batch's gradient, per tensor.
    pub gradient_norms: BTreeMap<String, f64>,
    /// The first of each step's losses, in its own unit.
    pub step_losses: Vec<f64>,
}

/// `golden CONFIG.toml --out FILE.npz`.
///
/// # Errors
/// [`GoldenError`].
pub fn run(args: &GoldenArgs) -> Result<Golden, GoldenError> {
    let config = config::read(&args.config, FAMILIES).map_err(RunError::from)?;
    let device = Device::find(args.device).map_err(RunError::from)?;
    let temporary = std::env::temp_dir();
    let folder = tempfile::tempdir().map_err(|source| GoldenError::Io { file: temporary.clone(), source })?;
    synthetic::write(folder.path(), config.sample_rate_hz(), config.channels(), SECONDS)
        .map_err(|source| GoldenError::Io { file: temporary, source })?;
    let dataset = Dataset::open(folder.path()).map_err(RunError::from)?;
    let mut task = config.task(&device)?;
    let begin = |task: &dyn crate::task::Task| Batches::new(&dataset, task.batches(), config.plan().rng_seed);

    let mut batches = begin(task.as_ref()).map_err(RunError::from)?;
    let seen: Vec<Batch> = (0..args.steps).map(|_| batches.next_batch()).collect();
    let bytes = archive(&task.networks(), &seen);
    let io = |file: &PathBuf| {
        let file = file.clone();
        move |source| GoldenError::Io { file, source }
    };
    bytes.and_then(|bytes| files::replace_with(&args.out, bytes)).map_err(io(&args.out))?;

    let mut batches = begin(task.as_ref()).map_err(RunError::from)?;
    let no_gradient = || GoldenError::NoGradient { config: args.config.clone() };
    let gradients = task.gradient(&mut batches)?.ok_or_else(no_gradient)?;
    let mut gradient_norms = BTreeMap::new();
    for (network, (_, gradient)) in task.networks().iter().zip(&gradients) {
        for tensor in network.weights.layout.tensors() {
            let squares = gradient[tensor.range()].iter().map(|&value| f64::from(value).powi(2));
            gradient_norms.insert(tensor.name.clone(), squares.sum::<f64>().sqrt());
        }
    }
    let mut batches = begin(task.as_ref()).map_err(RunError::from)?;
    let mut step_losses = Vec::new();
    for number in 0..args.steps {
        let report = task.step(number, &mut batches)?;
        step_losses.push(main_loss(&report.losses));
    }
    let golden = Golden { device: task.device(), gradient_norms, step_losses };
    if let Some(file) = &args.json {
        let json = serde_json::to_vec_pretty(&golden).map_err(std::io::Error::from);
        json.and_then(|json| files::replace_with(file, json)).map_err(io(file))?;
    }
    println!("{}: {} steps on {}", args.out.display(), args.steps, golden.device);
    Ok(golden)
}

/// In nats where it is a likelihood: the unit that is minimised.
fn main_loss(losses: &crate::task::Figures) -> f64 {
    losses.get("loss_nats").or_else(|| losses.values().next()).copied().unwrap_or(f64::NAN)
}

/// A NumPy archive: each tensor under its name, and `codes` or `frames` `[steps, B, T]` (of one channel).
fn archive(networks: &[&Network], batches: &[Batch]) -> std::io::Result<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for network in networks {
        for tensor in network.weights.layout.tensors() {
            let values = &network.weights.values[tensor.range()];
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            entry(&mut zip, &tensor.name, "<f4", &tensor.shape, &bytes)?;
        }
    }
    if let Some(first) = batches.first() {
        let [count, channels, length] = first.shape;
        let axes = [batches.len(), count * channels, length];
        let (name, element) =
            if matches!(first.values, Values::Codes(_)) { ("codes", "<u2") } else { ("frames", "<f4") };
        let mut bytes = Vec::new();
        for batch in batches {
            match &batch.values {
                Values::Codes(codes) => bytes.extend(codes.iter().flat_map(|code| code.to_le_bytes())),
                Values::Frames(frames) => bytes.extend(frames.iter().flat_map(|frame| frame.to_le_bytes())),
            }
        }
        entry(&mut zip, name, element, &axes, &bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// One array in NumPy's format (NEP 1, version 1.0): a header that ends on a multiple of 64 bytes, and the content.
fn entry(
    zip: &mut ZipWriter<Cursor<Vec<u8>>>,
    name: &str,
    element: &str,
    axes: &[usize],
    content: &[u8],
) -> std::io::Result<()> {
    /// Mark, version and the header's length.
    const BEFORE: usize = 10;
    let shape: Vec<String> = axes.iter().map(ToString::to_string).collect();
    // One axis needs a comma behind it to be a tuple.
    let shape = shape.join(", ") + ",";
    let mut header = format!("{{'descr': '{element}', 'fortran_order': False, 'shape': ({shape}), }}");
    let padded = (BEFORE + header.len() + 1).next_multiple_of(64);
    header.extend(std::iter::repeat_n(' ', padded - BEFORE - header.len() - 1));
    header.push('\n');
    let length = u16::try_from(header.len()).map_err(|_| std::io::Error::other("an array with too many axes"))?;
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
    zip.start_file(format!("{name}.npy"), options)?;
    zip.write_all(b"\x93NUMPY\x01\x00")?;
    zip.write_all(&length.to_le_bytes())?;
    zip.write_all(header.as_bytes())?;
    zip.write_all(content)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Read as _;

    use super::*;

    #[test]
    fn an_array_is_in_numpy_s_format() {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        entry(&mut zip, "x", "<u2", &[2, 1], &[1, 0, 2, 0]).unwrap();
        let mut archive = zip::ZipArchive::new(zip.finish().unwrap()).unwrap();
        let mut bytes = Vec::new();
        archive.by_name("x.npy").unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
        let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        assert!((10 + length).is_multiple_of(64));
        let header = std::str::from_utf8(&bytes[10..10 + length]).unwrap();
        assert!(
            header.starts_with("{'descr': '<u2', 'fortran_order': False, 'shape': (2, 1,), }")
                && header.ends_with('\n')
        );
        assert_eq!(&bytes[10 + length..], [1, 0, 2, 0]);
    }

    #[test]
    fn what_is_written_is_what_training_begins_with() {
        let folder = tempfile::tempdir().unwrap();
        let config = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/wavenet-small.toml");
        let args = GoldenArgs {
            config: config.into(),
            out: folder.path().join("golden.npz"),
            device: crate::cli::DeviceArg::Cpu,
            steps: 2,
            json: Some(folder.path().join("golden.json")),
        };
        let golden = run(&args).unwrap();
        assert_eq!((golden.step_losses.len(), run(&args).unwrap()), (2, golden.clone()), "the same again");
        // By chance: log 256 nats.
        assert!((golden.step_losses[0] - 256f64.ln()).abs() < 0.5, "{:?}", golden.step_losses);
        let mut archive = zip::ZipArchive::new(std::fs::File::open(&args.out).unwrap()).unwrap();
        let names: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
        assert_eq!(names.len(), golden.gradient_norms.len() + 1);
        assert!(
            names.iter().all(|name| name == "codes.npy" || golden.gradient_norms.contains_key(&name[..name.len() - 4]))
        );
        // 4 sequences of 4096 frames behind a receptive field of 512, two steps.
        let size = archive.by_name("codes.npy").unwrap().size();
        assert_eq!(size % 64, (2 * 4 * (4096 + 512) * 2) % 64);
        assert!(size >= 2 * 4 * (4096 + 512) * 2);
    }
}
