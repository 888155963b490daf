//! The operations of `nn::ops`: against sums written out in double precision, finite differences, Burn's own operations, and
//! each other, once and twice differentiated.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
mod convolution;
mod loss;
mod recurrent;
mod second;
