//! The network and its gradients against the family's reference in double precision, and against differences.

#![allow(clippy::unwrap_used)]

use burn::backend::{Autodiff, Flex};
use burn::tensor::DType;
use continuo_package::family::ada::reference::Reference;
use continuo_package::family::ada::{AdaShape, Autoencoder, Convolutions, Input, Quantiser};
use continuo_package::family::wavenet::WaveNetShape;

use super::super::quantiser::Shares;
use super::*;
use crate::random::{Purpose, Random};

type B = Autodiff<Flex>;

const WEIGHING: Weighing = Weighing { kept: 9, penalty: 0.7, logits: 0.01 };
const ROWS: usize = 2;
const LENGTH: usize = 20;

/// Sizes that are no multiples of anything.
pub(crate) fn odd(quantiser: Quantiser, input: Input) -> Arc<Model> {
    let sizes = |blocks, channels| Convolutions { blocks, cycle: 2, filter_width: 3, channels };
    let decoder = WaveNetShape {
        levels: 11,
        dilations: vec![1, 2, 1],
        filter_width: 2,
        residual_channels: 4,
        dilation_channels: 3,
        skip_channels: 5,
        end_channels: 4,
        ..WaveNetShape::default()
    };
    let autoencoder = Autoencoder {
        hop: 4,
        codes: 6,
        code_channels: if quantiser == Quantiser::Vq { 3 } else { 0 },
        quantiser,
        encoder: sizes(3, 5),
        modulator: sizes(2, 4),
        decoder,
    };
    let shape = AdaShape { levels: 11, input, autoencoders: vec![autoencoder], prior: None };
    Arc::new(Model::new(shape).unwrap())
}

fn numbers(len: usize, index: u64) -> Vec<f32> {
    let mut random = Random::new(5, Purpose::named("discrete autoencoder test"), index);
    (0..len).map(|_| 1.6 * random.uniform() - 0.8).collect()
}

struct Case {
    model: Arc<Model>,
    weights: Vec<f32>,
    codebook: Vec<f32>,
    batch: Symbols,
}

fn cases() -> Vec<Case> {
    let kinds = [
        (Quantiser::Vq, Input::OneHot),
        (Quantiser::Vq, Input::Continuous),
        (Quantiser::Amae, Input::OneHot),
        (Quantiser::SoftmaxAmae, Input::Continuous),
    ];
    let case = |(quantiser, input)| {
        let model = odd(quantiser, input);
        let mut random = Random::new(1, Purpose::named("symbols"), 0);
        let symbols = (0..ROWS * LENGTH).map(|_| random.below(11) as u16).collect();
        let width = model.autoencoder().code_channels as usize;
        Case {
            weights: numbers(model.layout.len(), 0),
            codebook: numbers(6 * width, 1),
            batch: Symbols { rows: ROWS, symbols },
            model,
        }
    };
    kinds.into_iter().map(case).collect()
}

impl Case {
    fn values(&self) -> Values<'_> {
        Values { weights: &self.weights, codebook: &self.codebook }
    }

    fn passes(&self) -> Passes<B> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        Passes::new(&self.model, burn::tensor::Device::<B>::default(), "test".into(), Some(pool))
    }

    fn reference(&self) -> Reference {
        Reference::new(self.model.shape(), |_, name, _| match self.model.layout.find(name) {
            Some(tensor) => self.weights[tensor.range()].to_vec(),
            None => self.codebook.clone(),
        })
    }

    fn row(&self, row: usize) -> Vec<u32> {
        self.batch.symbols[row * LENGTH..][..LENGTH].iter().map(|&symbol| symbol.into()).collect()
    }
}

#[track_caller]
fn assert_near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(1e-2_f64, |most, value| most.max(value.abs()));
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= tolerance * largest, "at {place}: {found} is not {expected}");
    }
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| value.into()).collect()
}

#[test]
fn codes_biases_and_likelihoods_are_the_reference_s() {
    for case in cases() {
        let (mut passes, mut reference) = (case.passes(), case.reference());
        let expected_queries: Vec<f64> =
            (0..ROWS).flat_map(|row| reference.encoded(0, &case.row(row)).concat()).collect();
        let expected_codes: Vec<u32> = (0..ROWS).flat_map(|row| reference.encode(0, &case.row(row))).collect();
        assert_near(&wide(&passes.queries(case.values(), &case.batch).unwrap()), &expected_queries, 1e-5);
        assert_eq!(passes.codes(case.values(), &case.batch).unwrap(), expected_codes);

        let (mut nats, mut counted) = (0.0, 0.0);
        for row in 0..ROWS {
            let (symbols, codes) = (case.row(row), &expected_codes[row * LENGTH / 4..][..LENGTH / 4]);
            let told = reference.modulate(0, codes);
            let biases: Vec<f64> =
                (0..told[0].len()).flat_map(|channel| told.iter().map(move |t| t[channel])).collect();
            assert_near(&wide(&passes.biases(case.values(), codes).unwrap()), &biases, 1e-5);

            // The reference begins with silence and zeros; the last ones hear nothing of that.
            let logits = reference.decode(0, &symbols, codes);
            let one = Symbols { rows: 1, symbols: case.batch.symbols[row * LENGTH..][..LENGTH].to_vec() };
            let found = passes.logits(case.values(), &one, codes, WEIGHING.kept).unwrap();
            assert_near(&wide(&found), &logits[LENGTH - WEIGHING.kept..].concat(), 1e-5);
            for (logits, &symbol) in logits.iter().zip(&symbols).skip(LENGTH - WEIGHING.kept) {
                let all: f64 = logits.iter().map(|logit| logit.exp()).sum();
                nats -= logits[symbol as usize] - all.ln();
                counted += 1.0;
            }
        }
        let (found, codes) = passes.measure(case.values(), &case.batch, WEIGHING.kept).unwrap();
        assert!((found - nats / counted).abs() < 1e-5, "{found} is not {}", nats / counted);
        assert_eq!(codes, expected_codes);
        let mut gradient = vec![0.0; case.model.layout.len()];
        let outcome = passes.gradient(case.values(), &case.batch, WEIGHING, &mut gradient).unwrap();
        assert!((outcome.nats - found).abs() < 1e-6);
        assert_eq!(outcome.codes, expected_codes);
    }
}

/// What is minimised, where codes stay what they are and what the quantiser adds to the queries too: the straight-through
/// estimator's gradient is the derivative of this.
struct Surrogate<'a> {
    case: &'a Case,
    vectors: Tensor<Flex, 3>,
    added: Tensor<Flex, 3>,
}

fn doubles<const D: usize>(values: &[f64], axes: [usize; D]) -> Tensor<Flex, D> {
    Tensor::from_data(TensorData::new(values.to_vec(), axes), (&burn::tensor::Device::<Flex>::default(), DType::F64))
}

fn shares_of(case: &Case) -> Option<Shares> {
    match case.model.quantising() {
        Quantising::Shares(shares) => Some(shares),
        Quantising::Vectors => None,
    }
}

impl<'a> Surrogate<'a> {
    fn new(case: &'a Case, weights: &[f64]) -> Self {
        let symbols = case.passes().send::<Flex>(&case.batch).unwrap();
        let network = Network::<Flex>::new(&case.model, &doubles(weights, [weights.len()]));
        let queries = network.queries(symbols).unwrap();
        let (vectors, rounded_from) = if let Some(shares) = shares_of(case) {
            let shares = shares.of(queries);
            let [batch, codes, frames] = shares.dims();
            let picked = shares.clone().argmax(1).reshape([batch, frames]);
            let eye: Vec<f64> = (0..codes * codes).map(|i| f64::from(u8::from(i / codes == i % codes))).collect();
            (looked_up(doubles(&eye, [codes, codes]), picked), shares)
        } else {
            let codebook = doubles(&wide(&case.codebook), [6, 3]);
            (looked_up(codebook.clone(), nearest(queries.clone(), codebook)), queries)
        };
        Self { case, added: vectors.clone() - rounded_from, vectors }
    }

    fn at(&self, weights: &[f64]) -> f64 {
        let symbols = self.case.passes().send::<Flex>(&self.case.batch).unwrap();
        let network = Network::<Flex>::new(&self.case.model, &doubles(weights, [weights.len()]));
        let queries = network.queries(symbols.clone()).unwrap();
        let (soft, penalty) = match shares_of(self.case) {
            Some(shares) => {
                let soft = shares.of(queries);
                (soft.clone(), shares.spread(Tensor::<B, 3>::from_inner(soft)).inner())
            }
            None => (queries.clone(), (queries - self.vectors.clone()).powi_scalar(2).mean()),
        };
        let biases = network.modulated(soft + self.added.clone()).unwrap();
        let logits = network.logits(symbols.clone(), &biases, WEIGHING.kept).unwrap();
        let (losses, rows) = losses(logits, symbols);
        let squares = rows.powi_scalar(2).mean();
        number(losses.mean()) + WEIGHING.penalty * number(penalty) + WEIGHING.logits * number(squares)
    }
}

#[test]
fn gradients_are_those_of_differences_straight_through_the_codes() {
    for case in cases() {
        let weights = wide(&case.weights);
        let passes = case.passes();
        let flat = Tensor::<B, 1>::from_inner(doubles(&weights, [weights.len()]));
        let network = Network::<B>::new(&case.model, &flat);
        let width = case.model.autoencoder().code_channels as usize;
        let codebook = doubles(&wide(&case.codebook), [case.codebook.len() / width.max(1), width.max(1)]);
        let symbols = passes.send::<B>(&case.batch).unwrap();
        let found = forward(&case.model, &network, codebook, symbols, WEIGHING).unwrap();
        let gradient: Vec<f64> =
            network.gradient(&found.minimised.clone().backward()).into_data().iter::<f64>().collect();
        let surrogate = Surrogate::new(&case, &weights);
        assert!((surrogate.at(&weights) - number(found.minimised.inner())).abs() < 1e-12);

        let largest = gradient.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        for tensor in case.model.layout.tensors() {
            for place in tensor.range().step_by(1 + tensor.len() / 3) {
                let at = |step: f64| {
                    let mut moved = weights.clone();
                    moved[place] += step;
                    surrogate.at(&moved)
                };
                let difference = (at(1e-6) - at(-1e-6)) / 2e-6;
                assert!(
                    (difference - gradient[place]).abs() < 1e-5 * largest,
                    "{} at {place}: {} is not {difference}",
                    tensor.name,
                    gradient[place]
                );
            }
        }
        // And the pass in single precision on our kernels.
        let mut single = vec![0.0; weights.len()];
        case.passes().gradient(case.values(), &case.batch, WEIGHING, &mut single).unwrap();
        assert_near(&wide(&single), &gradient, 1e-4);
    }
}

#[test]
fn what_is_of_another_model_is_refused() {
    let case = cases().remove(0);
    let mut passes = case.passes();
    let mut wrong = |batch: Symbols, kept| passes.measure(case.values(), &batch, kept).unwrap_err().to_string();
    assert!(wrong(case.batch.clone(), 15).contains("receptive field"), "15 of 20 leave 5 in front");
    assert!(wrong(Symbols { rows: 1, symbols: vec![0; 18] }, 9).contains("whole number"));
    assert!(wrong(Symbols { rows: 1, symbols: vec![11; 20] }, 9).contains("code 11"));
}
