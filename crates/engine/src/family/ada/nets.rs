//! The networks of a model, loaded, and how far each of them looks.

use super::grid::Grid;
use crate::backend::LoadOptions;
use crate::error::EngineError;
use crate::family::wavenet::{Net, best_precision};
use crate::kernels::Precision;
use crate::ort::{Graph, Tensor, Values};
use crate::source::Source;
use continuo_package::family::ada::AdaShape;
use continuo_package::family::wavenet::{Part, WaveNetShape};
use continuo_package::{GraphId, GraphRole, Package, Signal, onnx};

/// Symbols that an encoder reads at once, where its channels leave room for so many.
const ENCODED_AT_ONCE: usize = 8192;
/// Values that one layer of an encoder may have at once (64 MB).
const MOST_ENCODED: usize = 1 << 24;
/// Most frames that a voice takes into account (half an hour at 16 kHz).
const MOST_CONTEXT: usize = 1 << 25;

/// A feed-forward graph and what errors in it are about.
#[derive(Debug)]
pub(super) struct Feed {
    graph: Graph,
    source: Source,
}

impl Feed {
    /// Runs the graph over one sequence and gives its only output.
    fn run(&self, sequence: &[u32]) -> Result<Values, EngineError> {
        let codes = sequence.iter().map(|&code| i64::from(code)).collect();
        let input = Tensor::i64(&[1, sequence.len() as i64], codes);
        let mut state = self.graph.initial_state(1).map_err(|reason| self.source.failed(reason))?;
        let outputs = self.graph.run(&mut state, vec![input]).map_err(|reason| self.source.failed(reason))?;
        let first = outputs.into_iter().next().ok_or_else(|| self.source.failed("nothing came out".into()))?;
        Ok(first.values)
    }
}

/// One level of the model.
#[derive(Debug)]
pub(super) struct Level {
    /// Symbols per code.
    pub hop: usize,
    /// Codes that the level has.
    pub codes: u32,
    /// Codes ahead, and back, that decide what one code tells the gates.
    pub ahead: usize,
    /// The pieces of codes whose biases are made at once.
    pub grid: Grid,
    /// Values that the gates are told.
    pub told: usize,
    /// Symbols to each side that decide a code, in whole hops.
    margin: usize,
    /// Codes that are encoded at once.
    window: usize,
    encoder: Feed,
    modulator: Feed,
    /// The local model.
    pub decoder: Net,
}

/// All networks of a model.
#[derive(Debug)]
pub(super) struct Nets {
    pub signal: Signal,
    /// The nearest to the audio first.
    pub levels: Vec<Level>,
    /// Over the codes of the last level.
    pub prior: Option<Net>,
}

impl Level {
    /// Steps of the local model that are primed: its receptive field, and the newest symbol.
    pub fn primed(&self) -> usize {
        self.decoder.reach() + 1
    }

    /// Codes before the seam that decide what the gates are told from the first primed step on.
    fn known(&self) -> usize {
        // One step more: the symbol that a voice begins with leads to the first one.
        (self.primed() + 1).div_ceil(self.hop).next_multiple_of(self.grid.length()) + self.ahead
    }

    /// The last `count` codes of symbols, of which there are as many as [`Level::symbols_for`] says; the last symbol is the last
    /// one there is.
    pub fn encode(&self, symbols: &[u32], count: usize) -> Result<Vec<u32>, EngineError> {
        let (hop, margin) = (self.hop, self.margin);
        let mut parts: Vec<Vec<u32>> = Vec::new();
        let mut end = count;
        let mut before: Option<(&[u32], usize)> = None;
        while end > 0 {
            let first = end.saturating_sub(self.window);
            // Codes begin one margin behind the symbols.
            let seen = &symbols[first * hop..(end * hop + 2 * margin).min(symbols.len())];
            let codes = match (before, parts.last()) {
                // In long silence, what is seen is the same again and again.
                (Some((same, length)), Some(codes)) if same == seen && length == end - first => codes.clone(),
                _ => {
                    let all = self.encoded(seen)?;
                    let own = margin / hop..margin / hop + end - first;
                    all.get(own).ok_or_else(|| self.encoder.source.failed("too few codes came out".into()))?.to_vec()
                }
            };
            before = Some((seen, end - first));
            parts.push(codes);
            end = first;
        }
        parts.reverse();
        Ok(parts.concat())
    }

    /// The codes of a whole sequence, whose length is a multiple of the hop.
    pub fn encoded(&self, symbols: &[u32]) -> Result<Vec<u32>, EngineError> {
        let Values::I64(codes) = self.encoder.run(symbols)? else {
            return Err(self.encoder.source.failed("no codes came out".into()));
        };
        let code = |code: i64| u32::try_from(code).ok().filter(|&code| code < self.codes);
        let codes: Option<Vec<u32>> = codes.into_iter().map(code).collect();
        codes.ok_or_else(|| self.encoder.source.failed(format!("a code above {} came out", self.codes - 1)))
    }

    /// Symbols that [`Level::encode`] takes for so many codes.
    pub fn symbols_for(&self, codes: usize) -> usize {
        codes * self.hop + self.margin
    }

    /// What the gates are told at `count` of these codes from the one with this index on, `[count][L·2D]`; `None` where that is not
    /// finite.
    pub fn modulate(&self, codes: &[u32], first: usize, count: usize) -> Result<Option<Vec<f32>>, EngineError> {
        let Values::F32(values) = self.modulator.run(codes)? else {
            return Err(self.modulator.source.failed("no values came out".into()));
        };
        if values.len() != self.told * codes.len() {
            let reason = format!("{} values came out in place of {}", values.len(), self.told * codes.len());
            return Err(self.modulator.source.failed(reason));
        }
        let mut told = vec![0.0; count * self.told];
        for (row, values) in values.chunks_exact(codes.len().max(1)).enumerate() {
            for (index, &value) in values.iter().skip(first).take(count).enumerate() {
                told[index * self.told + row] = value;
            }
        }
        Ok(told.iter().all(|value| value.is_finite()).then_some(told))
    }
}

impl Nets {
    /// Loads every graph of a package.
    pub fn load(package: &mut Package, shape: &AdaShape, options: &LoadOptions) -> Result<Self, EngineError> {
        let precision = options.precision.unwrap_or_else(|| best_precision(&package.manifest));
        let mut levels = Vec::new();
        for (level, autoencoder) in (0..).zip(&shape.autoencoders) {
            let id = |role| GraphId { role, level };
            let part = (&autoencoder.decoder, shape.decoder_part(level));
            let decoder = net(package, id(GraphRole::Step), part, precision, options)?;
            let encoder = feed(package, id(GraphRole::Encoder), options)?;
            let modulator = feed(package, id(GraphRole::Modulator), options)?;
            let hop = autoencoder.hop as usize;
            let ahead = autoencoder.modulator.reach() as usize;
            let at_once = MOST_ENCODED / autoencoder.encoder.channels as usize;
            levels.push(Level {
                hop,
                codes: autoencoder.codes,
                ahead,
                grid: Grid::new(ahead, autoencoder.decoder.conditioning_channels()),
                told: autoencoder.decoder.conditioning_channels(),
                margin: (autoencoder.encoder.reach() as usize).next_multiple_of(hop),
                window: (at_once.min(ENCODED_AT_ONCE) / hop).max(1),
                encoder,
                modulator,
                decoder,
            });
        }
        let id = GraphId { role: GraphRole::Prior, level: shape.top() };
        let part = shape.prior.as_ref().map(|prior| (prior, shape.prior_part()));
        let prior = part.map(|part| net(package, id, part, precision, options)).transpose()?;
        let nets = Self { signal: package.manifest.signal, levels, prior };
        if nets.context() > MOST_CONTEXT {
            let reason = format!("takes {} frames into account; the limit is {MOST_CONTEXT}", nets.context());
            return Err(Source::new(&package.path, "model.json").disagrees(reason));
        }
        Ok(nets)
    }

    /// Codes of each level before the seam that decide what comes.
    pub fn known(&self) -> Vec<usize> {
        let mut known: Vec<usize> = self.levels.iter().map(Level::known).collect();
        // What draws a level's codes has heard them before.
        let prior = self.prior.as_ref().map(|prior| prior.reach() + 1);
        let heard = self.levels.iter().skip(1).map(Level::primed).chain(prior);
        known.iter_mut().zip(heard).for_each(|(known, heard)| *known = (*known).max(heard));
        known
    }

    /// Symbols that each level's encoder is given: frames, codes of level 0 and so on.
    fn symbols(&self) -> Vec<usize> {
        let mut needed = self.known();
        // From the top: the codes of a level are the symbols of the one above it.
        for level in (0..self.levels.len()).rev() {
            let symbols = self.levels[level].symbols_for(needed[level]);
            match level.checked_sub(1) {
                Some(below) => needed[below] = needed[below].max(symbols),
                None => {
                    return needed.iter().zip(&self.levels).map(|(&codes, level)| level.symbols_for(codes)).collect();
                }
            }
        }
        Vec::new()
    }

    /// Frames before the seam that decide what comes.
    pub fn context(&self) -> usize {
        self.symbols().first().copied().unwrap_or(0)
    }

    /// The codes of each level up to the end of these frames' codes, of which there are [`Nets::context`]: at least as many as
    /// [`Nets::known`] says.
    pub fn encode(&self, audio: &[u32]) -> Result<Vec<Vec<u32>>, EngineError> {
        let mut all: Vec<Vec<u32>> = Vec::new();
        let needed = self.symbols();
        for (index, level) in self.levels.iter().enumerate() {
            let symbols = all.last().map_or(audio, Vec::as_slice);
            let symbols = &symbols[symbols.len() - needed[index].min(symbols.len())..];
            let codes = (symbols.len() - level.margin) / level.hop;
            all.push(level.encode(symbols, codes)?);
        }
        Ok(all)
    }

    /// Frames of audio per code of a level.
    pub fn frames_per_code(&self, level: usize) -> u64 {
        self.levels.iter().take(level + 1).map(|level| level.hop as u64).product()
    }

    /// Memory for what one variation remembers, in bytes.
    pub fn bytes_per_variation(&self) -> u64 {
        let of_level = |level: &Level| {
            let told = 4 * level.told as u64 * (level.grid.length() as u64 + 1);
            level.decoder.bytes_per_variation() + told
        };
        let prior = self.prior.as_ref().map_or(0, Net::bytes_per_variation);
        prior + self.levels.iter().map(of_level).sum::<u64>() + 4 * self.context() as u64
    }
}

fn source(package: &Package, id: GraphId) -> Source {
    Source::new(&package.path, package.manifest.graph(id).map_or("model.json", |spec| &spec.file))
}

fn net(
    package: &mut Package,
    id: GraphId,
    part: (&WaveNetShape, Part),
    precision: Precision,
    options: &LoadOptions,
) -> Result<Net, EngineError> {
    let source = source(package, id);
    let bytes = package.graphs.remove(&id);
    match (package.manifest.graph(id), bytes) {
        (Some(spec), Some(bytes)) => Net::load(&source, part, (spec, &bytes), precision, options),
        _ => Err(source.disagrees(format!("the graph {id} is missing"))),
    }
}

fn feed(package: &mut Package, id: GraphId, options: &LoadOptions) -> Result<Feed, EngineError> {
    let source = source(package, id);
    let bytes = package.graphs.remove(&id);
    let (Some(spec), Some(bytes)) = (package.manifest.graph(id), bytes) else {
        return Err(source.disagrees(format!("the graph {id} is missing")));
    };
    let Some(runtime) = &options.runtime else {
        return Err(source.needs_runtime(format!("its {id} runs there")));
    };
    check_numbers(&bytes).map_err(|reason| source.disagrees(reason))?;
    // On one thread: what comes out must not depend on how many there are.
    let graph = Graph::new(runtime, &bytes, spec, 1).map_err(|reason| source.not_loaded(reason))?;
    Ok(Feed { graph, source })
}

/// Checks that all weights of a graph are numbers: the largest of what is none would be some code all the same.
fn check_numbers(bytes: &[u8]) -> Result<(), String> {
    let graph = onnx::decode(bytes)?.graph.ok_or("has no graph")?;
    for tensor in &graph.initializer {
        if let Some(bad) = tensor.to_f32().and_then(|values| values.into_iter().find(|value| !value.is_finite())) {
            return Err(format!("the tensor {} holds {bad}", tensor.name));
        }
    }
    Ok(())
}
