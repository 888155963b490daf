//! From what the encoder asks for to codes, and what the modulator hears of them.
//!
//! Dieleman, van den Oord & Simonyan 2018, *The challenge of realistic music generation*: the VQ-VAE of section 3.1 with its
//! equations (1) and (2), and the argmax autoencoder (AMAE) of section 3.3. All of them are written for backends with
//! automatic differentiation; what is rounded to a code hands gradients straight through.
//!
//! Losses are means: over positions and the widths of vectors for the commitment, over codes for the diversity. The paper
//! sums there; its factors are a constant of the shape away from ours.

use burn::tensor::activation::{relu, softmax};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Int, Tensor};

/// Keeps the divisive normalisation finite where no channel is above zero. The paper's ε; its size is our choice.
pub const EPSILON: f64 = 1e-6;

/// A quantised batch.
#[derive(Debug, Clone)]
pub struct Quantised<B: AutodiffBackend> {
    /// `[B, D, T]`: what the modulator hears. Its gradient goes to the queries as it is (straight-through).
    pub heard: Tensor<B, 3>,
    /// `[B, T]`.
    pub codes: Tensor<B::InnerBackend, 2, Int>,
    /// What is added to the reconstruction's loss, without its factor.
    pub penalty: Tensor<B, 1>,
}

/// `[B, D, T]` as `[B · T, D]`.
fn rows<B: burn::tensor::backend::Backend>(x: Tensor<B, 3>) -> Tensor<B, 2> {
    let [batch, width, frames] = x.dims();
    x.swap_dims(1, 2).reshape([batch * frames, width])
}

/// Equation (1): the code of the nearest vector of `codebook` `[K, D]` for each of `queries` `[B, D, T]`: `[B, T]`.
///
/// |q − k|² is compared without |q|², which all codes have in common: as the exported graph does it.
pub fn nearest<B: burn::tensor::backend::Backend>(queries: Tensor<B, 3>, codebook: Tensor<B, 2>) -> Tensor<B, 2, Int> {
    let [batch, _, frames] = queries.dims();
    let lengths = codebook.clone().powi_scalar(2).sum_dim(1).swap_dims(0, 1);
    let scores = lengths - rows(queries).matmul(codebook.swap_dims(0, 1)).mul_scalar(2.0);
    scores.argmin(1).reshape([batch, frames])
}

/// The vectors of codes `[B, T]`: `[B, D, T]`.
pub fn looked_up<B: burn::tensor::backend::Backend>(codebook: Tensor<B, 2>, codes: Tensor<B, 2, Int>) -> Tensor<B, 3> {
    let [batch, frames] = codes.dims();
    let width = codebook.dims()[1];
    codebook.select(0, codes.reshape([batch * frames])).reshape([batch, frames, width]).swap_dims(1, 2)
}

/// The VQ-VAE's quantiser (section 3.1). The penalty is the commitment, the third term of equation (2); the second, which
/// would train the codebook, is in its moving averages ([`super::codebook`]).
pub fn vq<B: AutodiffBackend>(queries: Tensor<B, 3>, codebook: Tensor<B::InnerBackend, 2>) -> Quantised<B> {
    let codes = nearest(queries.clone().inner(), codebook.clone());
    let vectors = looked_up(codebook, codes.clone());
    let penalty = (queries.clone() - Tensor::from_inner(vectors.clone())).powi_scalar(2).mean();
    Quantised { heard: straight_through(queries, vectors), codes, penalty }
}

/// `rounded` on the way forth, the gradient of `x` on the way back.
fn straight_through<B: AutodiffBackend>(x: Tensor<B, 3>, rounded: Tensor<B::InnerBackend, 3>) -> Tensor<B, 3> {
    let plain = x.clone().inner();
    // x − x is 0 and nothing is rounded: what comes out are the vectors, bit for bit.
    Tensor::from_inner(rounded) + (x - Tensor::from_inner(plain))
}

/// How an AMAE makes shares of its queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shares {
    /// `relu(q) / (Σ relu(q) + ε)`, spread by the diversity loss.
    Divisive,
    /// A softmax, spread by the entropy of the mean share.
    Softmax,
}

impl Shares {
    /// The shares of queries `[B, K, T]`, which are at least 0 and add up to 1 at most.
    pub fn of<B: burn::tensor::backend::Backend>(self, queries: Tensor<B, 3>) -> Tensor<B, 3> {
        match self {
            Self::Divisive => {
                let positive = relu(queries);
                let sums = positive.clone().sum_dim(1).add_scalar(EPSILON);
                positive / sums
            }
            Self::Softmax => softmax(queries, 1),
        }
    }

    /// What is least where all codes are used alike, from the shares of a batch `[B, K, T]`.
    ///
    /// Divisive: the squared diversity loss `mean over codes of (K f̄ − 1)²`. Softmax: `ln K − H(f̄)`, the entropy in nats.
    pub fn spread<B: AutodiffBackend>(self, shares: Tensor<B, 3>) -> Tensor<B, 1> {
        let [batch, codes, frames] = shares.dims();
        let mean = shares.sum_dim(2).sum_dim(0).reshape([codes]).div_scalar((batch * frames) as f64);
        match self {
            Self::Divisive => mean.mul_scalar(codes as f64).sub_scalar(1.0).powi_scalar(2).mean(),
            Self::Softmax => {
                // A share that underflows adds nothing to the entropy.
                let nats = (mean.clone() * mean.clamp_min(1e-30).log()).sum();
                nats.add_scalar((codes as f64).ln())
            }
        }
    }
}

/// The argmax autoencoder's quantiser (section 3.3): the channel with the largest share, as a one-hot vector. Queries are
/// `[B, K, T]`, one channel for each code.
pub fn amae<B: AutodiffBackend>(queries: &Tensor<B, 3>, shares: Shares) -> Quantised<B> {
    let [batch, codes_count, frames] = queries.dims();
    let shares_of = shares.of(queries.clone());
    // Where no channel is above zero all shares are, and the first code is taken.
    let codes = shares_of.clone().inner().argmax(1).reshape([batch, frames]);
    let device = queries.device();
    let one_hot = Tensor::<B::InnerBackend, 2>::eye(codes_count, &device).cast(queries.dtype());
    let vectors = looked_up(one_hot, codes.clone());
    let penalty = shares.spread(shares_of.clone());
    Quantised { heard: straight_through(shares_of, vectors), codes, penalty }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use burn::backend::{Autodiff, Flex};
    use burn::tensor::{DType, TensorData};

    use super::*;
    use crate::random::{Purpose, Random};

    type B = Autodiff<Flex>;

    const SHAPE: [usize; 3] = [2, 5, 4];

    fn noise(len: usize, index: u64) -> Vec<f64> {
        let mut random = Random::new(1, Purpose::named("quantiser test"), index);
        (0..len).map(|_| f64::from(2.0 * random.uniform() - 1.0)).collect()
    }

    fn tensor<const D: usize>(values: &[f64], shape: [usize; D]) -> Tensor<B, D> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape), (&burn::tensor::Device::<B>::default(), DType::F64))
    }

    fn read<K: burn::tensor::BasicOps<Flex>, const D: usize>(tensor: Tensor<Flex, D, K>) -> Vec<f64> {
        tensor.into_data().iter::<f64>().collect()
    }

    fn number(tensor: Tensor<B, 1>) -> f64 {
        read(tensor.inner())[0]
    }

    /// The gradient of `f` at `values` by automatic differentiation.
    fn gradient(values: &[f64], f: impl Fn(Tensor<B, 3>) -> Tensor<B, 1>) -> Vec<f64> {
        let x = tensor(values, SHAPE).require_grad();
        let gradients = f(x.clone()).backward();
        read(x.grad(&gradients).unwrap())
    }

    fn differences(values: &[f64], f: impl Fn(Tensor<B, 3>) -> Tensor<B, 1>) -> Vec<f64> {
        let at = |place: usize, step: f64| {
            let mut moved = values.to_vec();
            moved[place] += step;
            number(f(tensor(&moved, SHAPE)))
        };
        (0..values.len()).map(|place| (at(place, 1e-6) - at(place, -1e-6)) / 2e-6).collect()
    }

    #[track_caller]
    fn assert_near(found: &[f64], expected: &[f64], tolerance: f64) {
        assert_eq!(found.len(), expected.len());
        let largest = expected.iter().fold(1e-3_f64, |most, value| most.max(value.abs()));
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() <= tolerance * largest, "{found} is not {expected}");
        }
    }

    fn codebook() -> Tensor<Flex, 2> {
        tensor(&noise(6 * 5, 7), [6, 5]).inner()
    }

    #[test]
    fn equation_1_takes_the_nearest_vector_and_the_gradient_passes_straight_through() {
        let values = noise(40, 0);
        let found = vq(tensor(&values, SHAPE), codebook());
        let (vectors, codes) = (read(codebook()), read(found.codes));
        let heard = read(found.heard.inner());
        let mut commitment = 0.0;
        for (batch, frame) in (0..2).flat_map(|batch| (0..4).map(move |frame| (batch, frame))) {
            let at = |channel: usize| batch * 20 + channel * 4 + frame;
            let distance = |code: usize| (0..5).map(|d| (values[at(d)] - vectors[code * 5 + d]).powi(2)).sum::<f64>();
            let code = (0..6).min_by(|&a, &b| distance(a).total_cmp(&distance(b))).unwrap();
            assert_eq!(codes[batch * 4 + frame] as usize, code);
            (0..5).for_each(|d| assert_eq!(heard[at(d)].to_bits(), vectors[code * 5 + d].to_bits()));
            commitment += distance(code);
        }
        assert!((number(found.penalty) - commitment / 40.0).abs() < 1e-12);

        // Whatever is made of the vectors, the queries get that gradient as if they were them.
        let weights = noise(40, 2);
        let of_heard = |x| (vq(x, codebook()).heard * tensor(&weights, SHAPE)).sum();
        assert_near(&gradient(&values, of_heard), &weights, 1e-12);
    }

    #[test]
    fn the_commitment_s_gradient_is_the_difference_s() {
        let values = noise(40, 3);
        let commitment = |x| vq(x, codebook()).penalty;
        assert_near(&gradient(&values, commitment), &differences(&values, commitment), 1e-6);
    }

    #[test]
    fn both_losses_that_spread_the_codes_of_an_amae_have_the_gradients_of_their_differences() {
        for shares in [Shares::Divisive, Shares::Softmax] {
            let values = noise(40, 4);
            let spread = |x| amae(&x, shares).penalty;
            assert_near(&gradient(&values, spread), &differences(&values, spread), 1e-6);
            // Through the shares too.
            let weights = noise(40, 5);
            let of_heard = |x| (amae(&x, shares).heard * tensor(&weights, SHAPE)).sum();
            let of_shares = |x| (shares.of(x) * tensor(&weights, SHAPE)).sum();
            assert_near(&gradient(&values, of_heard), &differences(&values, of_shares), 1e-6);
        }
    }

    #[test]
    fn an_amae_gives_one_hot_vectors_of_the_largest_channel_and_least_loss_where_all_are_used() {
        for shares in [Shares::Divisive, Shares::Softmax] {
            let values = noise(40, 6);
            let found = amae(&tensor(&values, SHAPE), shares);
            let (codes, heard) = (read(found.codes), read(found.heard.inner()));
            for (batch, frame) in (0..2).flat_map(|batch| (0..4).map(move |frame| (batch, frame))) {
                let at = |channel: usize| batch * 20 + channel * 4 + frame;
                let largest = (0..5).max_by(|&a, &b| values[at(a)].total_cmp(&values[at(b)])).unwrap();
                assert_eq!(codes[batch * 4 + frame] as usize, largest);
                (0..5).for_each(|c| assert_eq!(heard[at(c)].to_bits(), f64::from(u8::from(c == largest)).to_bits()));
            }
        }
        // Two codes that take turns, and one that is always taken.
        let turns: Vec<f64> = (0..40).map(|i| f64::from(u8::from((i / 4 + i) % 2 == 0)) + 1e-9).collect();
        let always: Vec<f64> = (0..40).map(|i| f64::from(u8::from(i / 4 % 5 == 0))).collect();
        let collapsed = number(amae(&tensor(&always, SHAPE), Shares::Divisive).penalty);
        // One code's share is 1, those of the other four 0: (4² + 4 · 1²) / 5.
        assert!((collapsed - 4.0).abs() < 1e-4, "{collapsed}");
        assert!(number(amae(&tensor(&turns, SHAPE), Shares::Divisive).penalty) < 0.1 * collapsed);
        let even = number(amae(&tensor(&[0.0; 40], SHAPE), Shares::Softmax).penalty);
        assert!(even.abs() < 1e-9, "all shares alike have the entropy ln K: {even}");
    }
}
