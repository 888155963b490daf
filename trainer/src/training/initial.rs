//! Starting from a model that was trained before.

use std::path::Path;
use std::sync::Arc;

use continuo_package::family::wavenet::FAMILY;
use continuo_package::{Architecture, GraphId, GraphRole, Package, Signal, onnx};

use super::run::RunError;
use crate::config::Config;
use crate::wavenet::parameters::{Parameters, Table};

/// Reads the weights of the package `file`, which must hold a model of the configuration's architecture. Gives them
/// back with a line that says what they are.
///
/// # Errors
/// [`RunError::Package`] if the package is refused, [`RunError::Initial`] if its model is another one.
pub fn read(file: &Path, config: &Config) -> Result<(Parameters, String), RunError> {
    let refuse = |reason: String| RunError::Initial { file: file.to_path_buf(), reason };
    let package = Package::open(file)?;
    let manifest = &package.manifest;
    let shape = config.model.shape();
    let rate_hz = config.model.sample_rate_hz;
    let same = manifest.architecture == Architecture::new(&FAMILY, shape.clone())
        && manifest.sample_rate_hz == rate_hz
        && manifest.channels == 1
        && manifest.signal == Signal::MuLaw { levels: shape.levels };
    if !same {
        return Err(refuse(
            "its model has another architecture or rate than the configuration; `continuo-trainer inspect` shows both, \
             since a package holds the configuration that it was trained with"
                .into(),
        ));
    }
    let graph = package.graphs.get(&GraphId::of(GraphRole::Step)).ok_or_else(|| refuse("has no step graph".into()))?;
    let graph = onnx::decode(graph).map_err(&refuse)?.graph.ok_or_else(|| refuse("its graph is empty".into()))?;
    let table = Table::new(&shape);
    let mut values = vec![0.0; table.len];
    for tensor in &table.tensors {
        let found = graph.initializer.iter().find(|found| found.name == tensor.name);
        let weights = found.and_then(onnx::TensorProto::to_f32).unwrap_or_default();
        if weights.len() != tensor.len() || weights.iter().any(|weight| !weight.is_finite()) {
            return Err(refuse(format!("the tensor {} is missing or damaged; choose another package", tensor.name)));
        }
        values[tensor.range()].copy_from_slice(&weights);
    }
    let model =
        format!("{} (package SHA-256 {}, {} steps)", manifest.name, package.content_hash, manifest.training.steps);
    Ok((Parameters { table: Arc::new(table), values }, model))
}
