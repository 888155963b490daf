//! The operations made of Burn's own: for every backend that has nothing better, and for second derivatives.

pub mod convolution;
pub mod loss;
pub mod recurrent;
