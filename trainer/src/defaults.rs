//! `defaults`: the settings that the plugin starts with, for a package that was exported without.

use continuo_engine::audio::import;
use continuo_engine::seam::model_seed;
use continuo_engine::{LoadOptions, Model};
use continuo_package::{Defaults, Package, PackageWriter};

use crate::cli::DefaultsArgs;
use crate::export::ExportError;
use crate::export::defaults::{Choice, find};
use crate::names::printable;

/// Longest clip that is listened to, in seconds.
const LONGEST: f64 = 600.0;

/// `defaults FILE --audio CLIP …`. The package keeps everything else; it is replaced when the new one is whole.
///
/// # Errors
/// If the package or a clip cannot be read, rendering fails or is interrupted, or the package cannot be written.
pub fn run(args: &DefaultsArgs) -> Result<(), ExportError> {
    let package = Package::open(&args.file)?;
    let model = Model::load(&args.file, &LoadOptions::default())?;
    let mut clips = Vec::new();
    for file in &args.audio {
        clips.push(model_seed(&import(file, LONGEST)?.clip, model.sample_rate_hz())?);
    }
    let choice = Choice { temperature: args.temperature, top_k: args.top_k };
    let Some(found) = find(&model, clips.into_iter(), choice)? else {
        println!("{}: nothing is drawn, so there is nothing to set", printable(&args.file.display().to_string()));
        return Ok(());
    };
    let mut manifest = package.manifest;
    let (temperature, top_k) = (Some(found.temperature), Some(found.top_k));
    manifest.defaults = Defaults { temperature, top_k, ..manifest.defaults };
    let mut writer = PackageWriter::new(manifest, package.licence);
    for (id, graph) in package.graphs {
        writer = writer.graph(id, graph);
    }
    if let Some(preview) = package.preview {
        writer = writer.preview(preview);
    }
    writer.write(&args.file)?;
    println!(
        "{}: temperature {}, top k {}",
        printable(&args.file.display().to_string()),
        found.temperature,
        found.top_k
    );
    Ok(())
}
