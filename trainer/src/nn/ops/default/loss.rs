//! The softmax's loss of Burn's own operations.

use burn::tensor::activation::log_softmax;
use burn::tensor::backend::Backend;
use burn::tensor::ops::{FloatTensor, IntTensor};
use burn::tensor::{Int, Tensor};

use crate::nn::ops::primitive::{unwrap, wrap};

/// See [`Operations::row_losses_saving`](crate::nn::ops::Operations::row_losses_saving).
pub fn row_losses_saving<B: Backend>(
    logits: FloatTensor<B>,
    targets: IntTensor<B>,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let logits = wrap::<B, 2>(logits);
    let targets = Tensor::<B, 1, Int>::from_primitive(targets);
    let ([rows, classes], dtype) = (logits.dims(), logits.dtype());
    let likelihoods = log_softmax(logits, 1);
    let losses = likelihoods.clone().gather(1, targets.clone().reshape([rows, 1])).neg().reshape([rows]);
    let device = likelihoods.device();
    let all = Tensor::<B, 1, Int>::arange(0..classes as i64, &device).reshape([1, classes]).expand([rows, classes]);
    let hot = all.equal(targets.reshape([rows, 1]).expand([rows, classes])).float().cast(dtype);
    (unwrap(losses), unwrap(likelihoods.exp() - hot))
}
