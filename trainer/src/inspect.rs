//! `inspect`: what a package holds, in words.

use std::fmt::Write as _;

use continuo_package::family::wavenet::WaveNetShape;
use continuo_package::{Package, PackageError, Reach};

use crate::cli::InspectArgs;
use crate::names::{printable, printable_lines};
use crate::training::log::duration;

/// `inspect FILE`: reads and verifies a package and gives back a description of several lines.
///
/// # Errors
/// [`PackageError`] for anything that is not exactly a package.
pub fn run(args: &InspectArgs) -> Result<String, PackageError> {
    Ok(describe(&Package::open(&args.file)?))
}

fn describe(package: &Package) -> String {
    let manifest = &package.manifest;
    let training = &manifest.training;
    let mut text = String::new();
    let mut line = |label: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:<18} {}", printable(label), printable(&value));
    };
    line("name", manifest.name.clone());
    line("author", manifest.author.clone());
    line("licence", manifest.licence.clone());
    line("file", format!("{} (SHA-256 {})", package.path.display(), package.content_hash));
    line(
        "format",
        format!(
            "{}, written by trainer {}, run {}",
            manifest.format_version, manifest.trainer_version, manifest.run_id
        ),
    );
    line("family", manifest.architecture.family().to_string());
    let rate = manifest.sample_rate_hz;
    line("audio", format!("{rate} frames per second, {} channel(s)", manifest.channels));
    line("signal", manifest.signal.to_string());
    let seconds = |frames: u64| frames as f64 / f64::from(rate);
    line(
        "hears",
        match manifest.reach {
            Reach::Frames { frames } => format!("the last {frames} frames, {:.3} s", seconds(frames)),
            Reach::Unbounded => "everything before".into(),
            Reach::None { length_frames: frames } => {
                format!("nothing; {frames} frames come at once, {:.2} s", seconds(frames))
            }
        },
    );
    let defaults = &manifest.defaults;
    let default = |value: Option<String>| value.unwrap_or_else(|| "the plugin's own".into());
    line("temperature", default(defaults.temperature.map(|value| value.to_string())));
    line("top k", default(defaults.top_k.map(|value| value.to_string())));
    if let Some(shape) = manifest.architecture.shape_of::<WaveNetShape>() {
        line(
            "architecture",
            format!(
                "{} layers, filter {}, channels: residual {}, dilation {}, skip {}, end {}, {} biases",
                shape.dilations.len(),
                shape.filter_width,
                shape.residual_channels,
                shape.dilation_channels,
                shape.skip_channels,
                shape.end_channels,
                if shape.biases { "with" } else { "without" }
            ),
        );
        let dilations: Vec<String> = shape.dilations.iter().map(ToString::to_string).collect();
        line("dilations", dilations.join(" "));
    }
    for graph in &manifest.graphs {
        let size = package.graphs.get(&graph.id).map_or(0, Vec::len);
        line(
            &format!("graph {}", graph.id),
            format!(
                "{}, {:.2} MB, {} state tensors, SHA-256 {}",
                graph.file,
                size as f64 / 1e6,
                graph.state.len(),
                graph.sha256
            ),
        );
        let tensors = |tensors: &[continuo_package::TensorSpec]| {
            let each = tensors.iter().map(|tensor| format!("{} {:?} {:?}", tensor.name, tensor.element, tensor.shape));
            each.collect::<Vec<_>>().join(", ")
        };
        line("  inputs", tensors(&graph.inputs));
        line("  outputs", tensors(&graph.outputs));
    }
    line(
        "preview",
        package.preview.as_ref().map_or("none".into(), |wav| format!("{:.2} MB of WAV", wav.len() as f64 / 1e6)),
    );
    line("trained on", training.corpus.clone());
    line("hours", format!("{:.2}", training.corpus_hours));
    if let Some(model) = &training.initial_model {
        line("started from", model.clone());
    }
    line("weights", training.parameters.to_string());
    line("steps", format!("{} ({} frames)", training.steps, training.frames_seen));
    line("wall time", duration(training.wall_time_seconds));
    line("device", training.device.clone());
    for (name, value) in &training.figures {
        line(&name.replace('_', " "), format!("{value}"));
    }
    for (precision, nats) in &training.precision_nll_nats {
        line(
            &format!("NLL in {precision}"),
            format!("{nats:.4} nats, {:.4} bits per frame", nats / std::f64::consts::LN_2),
        );
    }
    if !package.licence.trim().is_empty() {
        let _ = write!(text, "\nLicence text\n{}\n", printable_lines(package.licence.trim_end()));
    }
    if !training.config.trim().is_empty() {
        let _ = write!(text, "\nConfiguration\n{}\n", printable_lines(training.config.trim_end()));
    }
    text
}
