//! `inspect`: what a package holds, in words.

use std::fmt::Write as _;

use continuo_package::{Architecture, Generation, Package, PackageError, Quantisation};

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
    line("family", manifest.family.to_string());
    let rate = manifest.sample_rate_hz;
    line("audio", format!("{rate} frames per second, {} channel(s)", manifest.channels));
    line(
        "quantisation",
        match manifest.quantisation {
            Quantisation::MuLaw { levels } => format!("µ-law, {levels} levels"),
            Quantisation::Linear { levels } => format!("linear, {levels} levels"),
            Quantisation::None => "none".into(),
        },
    );
    let field = manifest.receptive_field_frames;
    line("receptive field", format!("{field} frames, {:.3} s", field as f64 / f64::from(rate)));
    line(
        "generation",
        match manifest.generation {
            Generation::Autoregressive => "frame by frame".into(),
            Generation::FixedLength { frames } => {
                format!("{frames} frames at once, {:.2} s", frames as f64 / f64::from(rate))
            }
        },
    );
    if let Architecture::Wavenet(shape) = &manifest.architecture {
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
    for (role, graph) in &manifest.graphs {
        let size = package.graphs.get(role).map_or(0, Vec::len);
        line(
            &format!("graph {role}"),
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
    line(
        "held-out NLL",
        match (training.heldout_nll_nats, training.heldout_nll_bits) {
            (Some(nats), Some(bits)) => {
                format!("{nats:.4} nats, {bits:.4} bits per frame over {} frames", training.heldout_frames)
            }
            _ => "not measured".into(),
        },
    );
    for (precision, nats) in &training.precision_nll_nats {
        line(
            &format!("NLL in {precision}"),
            format!("{nats:.4} nats, {:.4} bits per frame", nats / std::f64::consts::LN_2),
        );
    }
    line(
        "export check",
        training
            .export_max_difference
            .map_or("not made".into(), |difference| format!("logits within {difference:.2e} of ONNX Runtime's")),
    );
    if !package.licence.trim().is_empty() {
        let _ = write!(text, "\nLicence text\n{}\n", printable_lines(package.licence.trim_end()));
    }
    if !training.config.trim().is_empty() {
        let _ = write!(text, "\nConfiguration\n{}\n", printable_lines(training.config.trim_end()));
    }
    text
}
