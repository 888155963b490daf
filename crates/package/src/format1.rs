//! Manifests of format 1, which held WaveNets over codes only, read as those of format 2.

use crate::family::Architecture;
use crate::family::wavenet::{self, WaveNetShape};
use crate::graph::{GraphId, GraphRole, GraphSpec, StatePair, TensorSpec};
use crate::manifest::{Defaults, FORMAT_VERSION, Manifest};
use crate::signal::{Reach, Signal};
use crate::training::{TrainingFacts, figures};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The manifest as format 1 had it.
#[derive(Debug, Deserialize)]
pub(crate) struct Manifest1 {
    name: String,
    author: String,
    licence: String,
    sample_rate_hz: u32,
    channels: u16,
    quantisation: Signal,
    receptive_field_frames: u64,
    architecture: Architecture1,
    graphs: BTreeMap<GraphRole, Graph1>,
    training: Training1,
    run_id: String,
    trainer_version: String,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Architecture1 {
    Wavenet(WaveNetShape),
}

#[derive(Debug, Deserialize)]
struct Graph1 {
    file: String,
    sha256: String,
    inputs: Vec<TensorSpec>,
    outputs: Vec<TensorSpec>,
    state: Vec<StatePair>,
}

#[derive(Debug, Deserialize)]
struct Training1 {
    heldout_nll_nats: Option<f64>,
    heldout_nll_bits: Option<f64>,
    heldout_frames: u64,
    export_max_difference: Option<f64>,
    #[serde(flatten)]
    others: TrainingFacts,
}

impl Manifest1 {
    pub(crate) fn upgrade(self) -> Manifest {
        let Architecture1::Wavenet(shape) = self.architecture;
        let graph = |(role, graph): (GraphRole, Graph1)| {
            let Graph1 { file, sha256, inputs, outputs, state } = graph;
            GraphSpec { id: GraphId::of(role), hop_frames: 1, file, sha256, inputs, outputs, state }
        };
        Manifest {
            format_version: FORMAT_VERSION,
            name: self.name,
            author: self.author,
            licence: self.licence,
            sample_rate_hz: self.sample_rate_hz,
            channels: self.channels,
            signal: self.quantisation,
            reach: Reach::Frames { frames: self.receptive_field_frames },
            architecture: Architecture::new(&wavenet::FAMILY, shape),
            graphs: self.graphs.into_iter().map(graph).collect(),
            defaults: Defaults::default(),
            training: self.training.upgrade(),
            run_id: self.run_id,
            trainer_version: self.trainer_version,
        }
    }
}

impl Training1 {
    fn upgrade(self) -> TrainingFacts {
        let mut facts = self.others;
        let named = [
            (figures::HELDOUT_NLL_NATS, self.heldout_nll_nats),
            (figures::HELDOUT_NLL_BITS, self.heldout_nll_bits),
            (figures::HELDOUT_FRAMES, self.heldout_nll_nats.map(|_| self.heldout_frames as f64)),
            (figures::EXPORT_LOGIT_DIFFERENCE, self.export_max_difference),
        ];
        facts.figures.extend(named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        facts
    }
}
